// Package direct is how the tools call programs and servers: never by a proxy of the environment, which does not know their names
// and should not see their passwords. Docker puts one into every container when its client is set up so.
package direct

import "net/http"

// Transport asks no proxy.
var Transport http.RoundTripper = &http.Transport{ForceAttemptHTTP2: true}

// Client has no time limit of its own: a request's context has.
var Client = &http.Client{Transport: Transport}
