package main

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"example.com/orderflow/pkg/web"
	"github.com/labstack/echo/v4"
)

// What comes from behind is compressed here and nowhere else. Tokens are not: the gateway makes them itself. An answer that
// holds a secret beside something that a stranger can choose would tell it by its length (BREACH). There is none: another
// site can make a browser load a page, but not see its length, as cookies are SameSite=Lax; and it has no token for the API.

const (
	zipLeast = 1 << 10 // bytes; below it, a packet is a packet
	zipLevel = 5       // see BenchmarkZip
	zipTag   = "-gzip" // at the end of an entity tag: the representations differ (RFC 9110, 8.8.3)
)

var zippable = []string{
	"text/html", "text/css", "text/plain", "text/csv", "text/javascript", "application/javascript", "application/json", "application/problem+json", "image/svg+xml",
}

// zippers are the compressors that are not in use: each has some 800 kB.
var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, zipLevel) // a level that there is
	return z
}}

// takesZip reports whether a client would rather have an answer in gzip.
func takesZip(r *http.Request) bool {
	q, _ := web.Quality(r.Header, "Accept-Encoding", "gzip", "x-gzip", "*")
	plain, named := web.Quality(r.Header, "Accept-Encoding", "identity")
	return q > 0 && (!named || q >= plain)
}

// zipHeader decides from its header whether an answer is compressed, and if so changes the header. length is that of its
// body, negative when it is not known: then it is long.
func zipHeader(r *http.Request, status int, h http.Header, length int) bool {
	if status == http.StatusNotModified {
		if strings.Contains(strings.Join(r.Header.Values("If-None-Match"), ", "), zipTag+`"`) && takesZip(r) {
			suffixTag(h) // the client's copy is the one in gzip
		}
		h.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
		return false
	}
	media, _, _ := strings.Cut(h.Get(echo.HeaderContentType), ";")
	if !slices.Contains(zippable, strings.ToLower(strings.TrimSpace(media))) {
		return false
	}
	h.Add(echo.HeaderVary, echo.HeaderAcceptEncoding)
	if length >= 0 && length < zipLeast || status < http.StatusOK || status == http.StatusNoContent || status == http.StatusPartialContent ||
		h.Get(echo.HeaderContentEncoding) != "" || strings.Contains(h.Get("Cache-Control"), "no-transform") || !takesZip(r) {
		return false
	}
	h.Set(echo.HeaderContentEncoding, "gzip")
	h.Del(echo.HeaderContentLength)
	h.Del("Accept-Ranges")
	suffixTag(h)
	return true
}

// suffixTag makes another strong tag of an answer's. A weak one may stay: it names all representations.
func suffixTag(h http.Header) {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) && len(tag) > 1 {
		h.Set("ETag", tag[:len(tag)-1]+zipTag+`"`)
	}
}

// plainTags puts a client's conditions into h as the program behind knows them. What is to be changed is the same thing,
// however it came; but a copy in gzip is no answer to who does not want one.
func plainTags(r *http.Request, h http.Header) {
	for _, name := range []string{"If-Match", "If-None-Match"} {
		known := strings.Join(r.Header.Values(name), ", ")
		if known == "" {
			continue
		}
		if name == "If-Match" || takesZip(r) {
			known = strings.ReplaceAll(known, zipTag+`"`, `"`)
		}
		h.Set(name, known)
	}
}

// zipper writes the answer to a request, in gzip when it is worth it.
type zipper struct {
	http.ResponseWriter
	request *http.Request
	begun   bool
	to      *gzip.Writer // nil: as it is
	headed  bool         // the header was all that was asked for
}

func zip(w http.ResponseWriter, r *http.Request) *zipper {
	return &zipper{ResponseWriter: w, request: r}
}

// WriteHeader decides how the body will be written.
func (z *zipper) WriteHeader(status int) {
	if status >= http.StatusOK && !z.begun {
		z.begun = true
		length, err := strconv.Atoi(z.Header().Get(echo.HeaderContentLength))
		if err != nil {
			length = -1
		}
		switch zips := zipHeader(z.request, status, z.Header(), length); {
		case zips && z.request.Method == http.MethodHead:
			z.headed = true // the server would take the length of what it drops for that of an answer in gzip
		case zips:
			z.to, _ = zippers.Get().(*gzip.Writer)
			z.to.Reset(z.ResponseWriter)
		}
	}
	z.ResponseWriter.WriteHeader(status)
}

func (z *zipper) Write(b []byte) (int, error) {
	if !z.begun {
		z.WriteHeader(http.StatusOK)
	}
	switch {
	case z.headed:
		return len(b), nil
	case z.to != nil:
		return z.to.Write(b)
	}
	return z.ResponseWriter.Write(b)
}

// FlushError passes on what is there, unless it is being compressed: small pieces compress badly, and no stream is.
func (z *zipper) FlushError() error {
	if z.to != nil {
		return nil
	}
	return http.NewResponseController(z.ResponseWriter).Flush()
}

// Unwrap is for http.ResponseController.
func (z *zipper) Unwrap() http.ResponseWriter { return z.ResponseWriter }

// close ends the answer. One that broke off never gets here: ReverseProxy panics, and the client does not take it for whole.
func (z *zipper) close() {
	if z.to != nil {
		_ = z.to.Close() // the client has gone if this fails
		z.to.Reset(io.Discard)
		zippers.Put(z.to)
	}
}

// zipped is a whole body in gzip.
func zipped(body []byte) []byte {
	var b bytes.Buffer
	z, _ := zippers.Get().(*gzip.Writer)
	z.Reset(&b)
	_, _ = z.Write(body) // a buffer takes everything
	_ = z.Close()
	zippers.Put(z)
	return b.Bytes()
}
