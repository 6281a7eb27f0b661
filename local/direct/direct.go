// Package direct has the HTTP client with which tools call programs and servers. It never uses a proxy of the environment,
// which does not know their names and should not see their passwords. Docker can be set up to put one into every container.
package direct

import "net/http"

// Transport uses no proxy.
var Transport http.RoundTripper = &http.Transport{ForceAttemptHTTP2: true}

// Client has no timeout of its own; use the request's context.
var Client = &http.Client{Transport: Transport}
