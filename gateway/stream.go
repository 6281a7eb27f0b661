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

// stream is the body of an answer that lasts. The server's write timeout is lifted; instead, each piece of it has to be
// taken in time, so that a client who no longer reads is dropped. When the gateway stops, the stream ends as if it were
// over: clients then come back, to another replica.
type stream struct {
	io.ReadCloser
	ctx      context.Context //nolint:containedctx // of the request, as in http.Request
	response *http.ResponseController
	timeout  time.Duration // with the client
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

// Buffers are what ReverseProxy copies answers through. Those of streams are small, for there are many and they last.
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
