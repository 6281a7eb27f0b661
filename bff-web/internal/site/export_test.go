package site

const NoticeCookie = noticeCookie
