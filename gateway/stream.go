package main

import (
	"context"
	"errors"
	"io"
	"net/http"
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
	patience time.Duration // with the client
}

func (s stream) Read(b []byte) (int, error) {
	n, err := s.ReadCloser.Read(b)
	if err != nil && errors.Is(context.Cause(s.ctx), web.ErrStopping) {
		err = io.EOF
	}
	if wrong := s.response.SetWriteDeadline(time.Now().Add(s.patience)); wrong != nil && err == nil {
		err = wrong
	}
	return n, err
}

// buffers are what ReverseProxy copies through. Those of streams are small, for there are many and they last.
type buffers int

func (size buffers) Get() []byte { return make([]byte, size) }
func (size buffers) Put([]byte)  {}
