package web_test

import (
	"testing"

	"example.com/orderflow/pkg/web"
)

func TestWaysToWriteOneHostAreEqual(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]web.Host{
		"shop.example":            {"shop.example", "443"},
		"Shop.EXAMPLE:443":        {"shop.example", "443"},
		"shop.example:":           {"shop.example", "443"},
		"shop.example:08080":      {"shop.example", "8080"},
		"192.0.2.1:80":            {"192.0.2.1", "80"},
		"[2001:DB8:0:0::1]":       {"2001:db8::1", "443"},
		"[::1]:8080":              {"::1", "8080"},
		"a_b.internal":            {"a_b.internal", "443"},
		"":                        {},
		":443":                    {},
		"shop.example:https":      {},
		"shop.example:65536":      {},
		"shop.example:-1":         {},
		"shop.example:1:2":        {},
		"::1":                     {},
		"[::1":                    {},
		"[::1]8080":               {},
		"[fe80::1%25eth0]":        {},
		"[192.0.2.1]":             {},
		"shop.example/path":       {},
		"user@shop.example":       {},
		"shop.example, evil.test": {},
		"shop.example;x=y":        {},
		"shop .example":           {},
		"shop.example\r\nX: y":    {},
		"https://shop.example":    {},
		"b\u00fccher.example":     {},
	} {
		if got, ok := web.ParseHost("https", text); got != want || ok != (want.Name != "") {
			t.Errorf("%q is %+v, %t", text, got, ok)
		}
	}
	if got, _ := web.ParseHost("http", "shop.example"); got.Port != "80" {
		t.Errorf("http is at port %s", got.Port)
	}
}
