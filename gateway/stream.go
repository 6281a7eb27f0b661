package main

import (
	"context"
	"errors"
	"io"
	"net/http"
	"sync"
	"time"

	"example.com/orderflow/pkg/web"
)

// stream is the body of an answer that lasts. There is no write timeout for the whole answer. Instead, the client must take
// each piece in time, so that one that no longer reads is dropped. When the gateway stops, the stream ends as if it were
// complete; clients then connect again, to another replica.
type stream struct {
	io.ReadCloser
	ctx      context.Context //nolint:containedctx // of the request, as in http.Request
	response *http.ResponseController
	timeout  time.Duration // for each piece, with the client
}

func (s stream) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	if err != nil && errors.Is(context.Cause(s.ctx), web.ErrStopping) {
		err = io.EOF
	}
	if wrong := s.response.SetWriteDeadline(time.Now().Add(s.timeout)); wrong != nil && err == nil {
		err = wrong
	}
	return n, err
}

// buffers and streamBuffers are the buffers through which ReverseProxy copies answers. Those of streams are small, because
// there are many of them for a long time.
type (
	buffers       struct{ free sync.Pool } // of *[32 << 10]byte
	streamBuffers struct{}
)

func (b *buffers) Get() []byte {
	if free, ok := b.free.Get().(*[32 << 10]byte); ok {
		return free[:]
	}
	return make([]byte, 32<<10)
}

func (b *buffers) Put(used []byte) { b.free.Put((*[32 << 10]byte)(used)) }

func (streamBuffers) Get() []byte { return make([]byte, 4<<10) }
func (streamBuffers) Put([]byte)  {}
