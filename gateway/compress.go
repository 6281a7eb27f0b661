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

// Answers of the upstreams are compressed only here. Tokens are never compressed: the gateway makes them itself. A compressed
// answer that holds a secret beside text that an attacker chooses would reveal the secret by its length (BREACH). There is no
// such answer: another site can make a browser load a page, but its cookies are SameSite=Lax and it cannot see the length; and
// it has no token for the API.

const (
	zipLeast = 1 << 10 // bytes; a smaller answer fits into one packet anyway
	zipLevel = 5       // see BenchmarkZip
	zipTag   = "-gzip" // suffix of entity tags: each representation has its own tag (RFC 9110, 8.8.3)
)

var zippable = []string{
	"text/html", "text/css", "text/plain", "text/csv", "text/javascript", "application/javascript", "application/json", "application/problem+json", documentType, "image/svg+xml",
}

// zippers are compressors that are not in use. Each has some 800 kB.
var zippers = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(io.Discard, zipLevel) // cannot fail: the level is valid
	return z
}}

// takesZip reports whether a client accepts gzip and does not prefer uncompressed answers.
func takesZip(r *http.Request) bool {
	q, _ := web.Quality(r.Header, "Accept-Encoding", "gzip", "x-gzip", "*")
	plain, named := web.Quality(r.Header, "Accept-Encoding", "identity")
	return q > 0 && (!named || q >= plain)
}

// zipHeader reports whether to compress an answer, and if so adapts its header h. length is that of the body; negative:
// unknown, taken as long.
func zipHeader(r *http.Request, status int, h http.Header, length int) bool {
	if status == http.StatusNotModified {
		if strings.Contains(strings.Join(r.Header.Values("If-None-Match"), ", "), zipTag+`"`) && takesZip(r) {
			suffixTag(h) // the client has the copy in gzip
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

// suffixTag gives a strong entity tag the suffix of gzip. A weak tag stays, because it names all representations.
func suffixTag(h http.Header) {
	if tag := h.Get("ETag"); strings.HasPrefix(tag, `"`) && strings.HasSuffix(tag, `"`) && len(tag) > 1 {
		h.Set("ETag", tag[:len(tag)-1]+zipTag+`"`)
	}
}

// plainTags sets a client's conditions in h with the tags that the upstream knows. If-Match always loses the suffix of gzip,
// since a change is about the product, not about a representation. If-None-Match keeps it if the client does not accept gzip: a
// copy in gzip is of no use to it then.
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

// zipper writes the answer to a request, in gzip if that is worth it.
type zipper struct {
	http.ResponseWriter
	request *http.Request
	begun   bool
	to      *gzip.Writer // nil: not compressed
	headed  bool         // HEAD: the body is dropped
}

func zip(w http.ResponseWriter, r *http.Request) *zipper {
	return &zipper{ResponseWriter: w, request: r}
}

// WriteHeader decides whether the body will be compressed.
func (z *zipper) WriteHeader(status int) {
	if status >= http.StatusOK && !z.begun {
		z.begun = true
		length, err := strconv.Atoi(z.Header().Get(echo.HeaderContentLength))
		if err != nil {
			length = -1
		}
		switch zips := zipHeader(z.request, status, z.Header(), length); {
		case zips && z.request.Method == http.MethodHead:
			z.headed = true // otherwise the server would count the dropped body and send its length as Content-Length
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

// FlushError flushes, except in a compressed answer: small pieces compress badly, and streams are never compressed.
func (z *zipper) FlushError() error {
	if z.to != nil {
		return nil
	}
	return http.NewResponseController(z.ResponseWriter).Flush()
}

// Unwrap serves http.ResponseController.
func (z *zipper) Unwrap() http.ResponseWriter { return z.ResponseWriter }

// close ends the answer. It is not called for an answer that broke off: ReverseProxy panics then, so that the client notices
// that it is incomplete.
func (z *zipper) close() {
	if z.to != nil {
		_ = z.to.Close() // it fails only if the client has gone
		z.to.Reset(io.Discard)
		zippers.Put(z.to)
	}
}

// zipped returns a whole body in gzip.
func zipped(body []byte) []byte {
	var b bytes.Buffer
	z, _ := zippers.Get().(*gzip.Writer)
	z.Reset(&b)
	_, _ = z.Write(body) // a buffer accepts everything
	_ = z.Close()
	zippers.Put(z)
	return b.Bytes()
}
