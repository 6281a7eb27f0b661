package shop

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Token returns the caller's access token. It asks for a new one when half of the old one's life is over, so that a token does
// not expire on its way or soon after a stream has begun. Callers at the same time share one request for it.
func (c *Client) Token(ctx context.Context) (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Now().Before(c.renew) {
		return c.token, nil
	}
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {c.ID}, "client_secret": {c.Secret}}
	nobody := Client{Gateway: c.Gateway, HTTP: c.HTTP, Timeout: c.Timeout}
	answer, err := nobody.Send(ctx, http.MethodPost, "/oauth/token", form.Encode(), "Content-Type", "application/x-www-form-urlencoded")
	if err == nil {
		err = answer.Err()
	}
	var grant struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"` // seconds
	}
	if err == nil {
		err = answer.read(&grant)
	}
	if err != nil {
		return "", fmt.Errorf("token of %s: %w", c.ID, err)
	}
	c.token, c.renew = grant.AccessToken, time.Now().Add(time.Duration(grant.ExpiresIn)*time.Second/2)
	return c.token, nil
}
