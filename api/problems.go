package api

// Problem is a type of error, as a client meets it and as its page explains it.
type Problem struct {
	Name   string // the last segment of its type, which is a path of the gateway: so the type leads to the page (RFC 9457, 3.1.1)
	Status int    // that it always comes with
	Title  string // what has happened, in a few words
	Means  string // what it means, in Markdown
	Do     string // what a client should do, in Markdown

	// An example of it:
	Path   string // the path that was asked for
	Detail string
	More   string // further members as JSON, such as `"total": 1`; empty: none
}

// Problems are all types of problem, in the order of their status.
var Problems = []Problem{
	{
		Name: "malformed", Status: 400, Title: "The request cannot be read",
		Means: "The body is not JSON or not Unicode, a header or a condition has a form that it cannot have, a needed header such as `Idempotency-Key` is missing, or the query has a parameter that the route does not know or that is given twice.",
		Do:    "Correct the program that sends it. To send it again as it is gives the same answer.",
		Path:  "/api/orders", Detail: "an Idempotency-Key header is needed, a new one for each order",
	},
	{
		Name: "unauthorized", Status: 401, Title: "There is no valid token",
		Means: "The route needs a bearer token, and the request has none, or one that has expired, has been changed, or comes from another issuer.",
		Do:    "Get a new token, then send the request again: nothing has been done. Renew tokens before they expire, for example when half of `expires_in` is over.",
		Path:  "/api/orders", Detail: "a bearer token is needed",
	},
	{
		Name: "forbidden", Status: 403, Title: "The token does not allow this",
		Means: "The token is valid, but it does not have the scope that the route needs. A form of the shop that another site has sent gets 403, too.",
		Do:    "Use a token with the scope that `detail` names. To repeat the request with the same token does not help.",
		Path:  "/api/stock", Detail: `the token lacks the scope "operations"`,
	},
	{
		Name: "not-found", Status: 404, Title: "It does not exist",
		Means: "There is nothing at this path, or it belongs to another customer. The answer is the same for both, so that nobody learns which orders exist.",
		Do:    "Check the path and the id. A product or an order that was found before does not disappear.",
		Path:  "/api/orders/019a0000-0000-7000-8000-000000000000", Detail: "there is no such order",
	},
	{
		Name: "not-allowed", Status: 405, Title: "The path has other methods",
		Means: "The path exists, but not with this method.",
		Do:    "The header `Allow` lists the methods that it has.",
		Path:  "/api/products", Detail: "this path has other methods, see Allow",
	},
	{
		Name: "not-acceptable", Status: 406, Title: "The answer would be in another media type",
		Means: "The path only has answers in media types that the header `Accept` excludes. This happens at the paths that are only streams.",
		Do:    "Accept `text/event-stream`, or ask the path that has the same content as JSON.",
		Path:  "/live", Detail: "there is only a text/event-stream here",
	},
	{
		Name: "conflict", Status: 409, Title: "The state of the resource forbids it",
		Means: "The request is right, but what it is about is in a state in which this cannot be done. For example, an order that has been dispatched can no longer be cancelled.",
		Do:    "Read the resource again, and decide again. To repeat the request does not help as long as the state is the same.",
		Path:  "/api/orders/019a0c1e-5f2c-7d31-9b6e-2f1d8c3a4b5c/cancellation", Detail: "the order is shipped and can no longer be cancelled",
	},
	{
		Name: "total-changed", Status: 409, Title: "The order would cost something else",
		Means: "The request has the header `Expected-Total`, and the order would cost something else, because a price has changed. Nothing has been ordered.",
		Do:    "Show the customer the new `total`. If they agree, send the order again with this total in `Expected-Total`. The `Idempotency-Key` may stay the same, because no order was made with it.",
		Path:  "/api/orders", Detail: "the order costs 2798 EUR in minor units, not 2598 EUR", More: `"total": {"amount": 2798, "currency": "EUR"}`,
	},
	{
		Name: "stale", Status: 412, Title: "It has changed since you looked",
		Means: "A condition of the request does not hold: the `ETag` in `If-Match` is no longer that of the resource, or the resource exists although `If-None-Match: *` asks for a new one. Nothing has been changed.",
		Do:    "Read the resource again, apply your change to what it is now, and send it with the new `ETag`.",
		Path:  "/api/products/MUG-BLUE", Detail: "If-Match does not hold: this has changed, or is not there; get it, and decide anew",
	},
	{
		Name: "too-large", Status: 413, Title: "The body is too large",
		Means: "The body has more than 1 MB, which is far more than any valid request needs.",
		Do:    "Send less. An order has at most 100 lines; for more, make several orders.",
		Path:  "/api/orders", Detail: "the body is too large",
	},
	{
		Name: "unsupported", Status: 415, Title: "The body has another media type",
		Means: "The `Content-Type` is not the one that the route reads, or the body has a `Content-Encoding`.",
		Do:    "Send JSON with `Content-Type: application/json`, and not compressed.",
		Path:  "/api/orders", Detail: "Content-Type must be application/json",
	},
	{
		Name: "invalid", Status: 422, Title: "Some fields are wrong",
		Means: "The request can be read, but fields of it have values that they cannot have, are missing, or are unknown. `errors` names each of them, with the reason. Nothing has been done.",
		Do:    "Show the reasons beside the fields, correct them, and send the request again. The `Idempotency-Key` may stay the same.",
		Path:  "/api/orders", Detail: "lines[0].quantity: must be 1 to 10000",
		More: `"errors": [{"field": "lines[0].quantity", "message": "must be 1 to 10000"}]`,
	},
	{
		Name: "key-reused", Status: 422, Title: "The key has made another order already",
		Means: "An order was placed with this `Idempotency-Key`, and its body was different from this one. No new order was made. The first order is in `links.order` and in the header `Location`.",
		Do:    "Look at the order that was made: it may be the one that is wanted, sent again after a change. For a second order, use a new key.",
		Path:  "/api/orders", Detail: "this Idempotency-Key was used for another order", More: `"links": {"order": "/api/orders/019a0c1e-5f2c-7d31-9b6e-2f1d8c3a4b5c"}`,
	},
	{
		Name: "too-many", Status: 429, Title: "Too many requests",
		Means: "This address or this caller has sent more requests than its share, or has too many streams open. Nothing has been done. `RateLimit-Policy` has the limits, and `RateLimit` what is left of them.",
		Do:    "Wait for as many seconds as `Retry-After` says, then send the request again. Look at `RateLimit` to slow down before it comes to this.",
		Path:  "/api/products", Detail: "more than 500 requests a second",
	},
	{
		Name: "header-too-big", Status: 431, Title: "The header is too large",
		Means: "The header of the request has more than 32 kB, mostly because of cookies or a very large token.",
		Do:    "Send fewer or shorter headers.",
		Path:  "/api/orders", Detail: "the header has more than 32768 bytes",
	},
	{
		Name: "internal", Status: 500, Title: "Something went wrong on our side",
		Means: "The system has made a mistake. Nothing in the request has caused it, and `detail` tells nothing about it.",
		Do:    "A `GET`, a `PUT`, and a `POST` with an `Idempotency-Key` may be sent again, after a pause. If it stays, report the `request_id`: it is in the logs.",
		Path:  "/api/orders", Detail: "something went wrong on our side; nothing in the request caused it",
	},
	{
		Name: "bad-gateway", Status: 502, Title: "A part of the system has failed",
		Means: "The gateway has got no useful answer from the service behind it. The request may or may not have been carried out.",
		Do:    "As for 503: send it again if that does no harm, that is, with the same `Idempotency-Key`.",
		Path:  "/api/products", Detail: "a part of the system has failed",
	},
	{
		Name: "unavailable", Status: 503, Title: "It cannot be done at the moment",
		Means: "A part of the system is away, is starting, or has too much to do. Orders that were accepted are safe and go on.",
		Do:    "Wait for as many seconds as `Retry-After` says, then send the request again, a `POST` with the same `Idempotency-Key`: it is not carried out twice.",
		Path:  "/api/orders", Detail: "the service cannot answer now, please try again",
	},
	{
		Name: "timeout", Status: 504, Title: "The answer did not come in time",
		Means: "A service has not answered in time. The request may or may not have been carried out.",
		Do:    "Send it again with the same `Idempotency-Key`, or read the resource first to see whether it was carried out.",
		Path:  "/api/orders", Detail: "a part of the system did not answer in time",
	},
}
