package reference

import (
	"net/http"
	"net/url"
	"strings"
)

const formMedia = "application/x-www-form-urlencoded"

// curl is a command that a person can paste into a shell in which $api and the tokens are set, as the page says at its top.
func curl(r route) string {
	path, query, headers := r.Path, url.Values{}, []string{}
	for _, p := range r.Parameters {
		switch {
		case p.In == "path" && p.Example != "":
			path = strings.ReplaceAll(path, "{"+p.Name+"}", url.PathEscape(p.Example))
		case p.In == "query" && p.Required && p.Example != "":
			query.Set(p.Name, p.Example)
		case p.In == "header" && p.Required && p.Name == "Idempotency-Key":
			headers = append(headers, `-H "Idempotency-Key: $(date +%s)"`) // a new one each second
		case p.In == "header" && p.Required:
			headers = append(headers, "-H '"+quoted(p.Name+": "+p.Example)+"'")
		}
	}
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	command := []string{"curl -i" + stream(r)}
	if r.Method != http.MethodGet && (r.Method != http.MethodPost || r.Body == nil) {
		command[0] += " -X " + r.Method
	}
	command[0] += ` "$api` + path + `"`
	if !r.Public {
		command = append(command, `-H "Authorization: Bearer $`+token(r)+`"`)
	}
	command = append(command, headers...)
	if stream(r) != "" {
		command = append(command, "-H 'Accept: text/event-stream'")
	}
	if r.Body != nil && len(r.Body.Examples) > 0 {
		if r.Body.Media != formMedia { // curl's own
			command = append(command, "-H 'Content-Type: "+r.Body.Media+"'")
		}
		command = append(command, "-d '"+quoted(r.Body.Examples[0].Text)+"'")
	}
	return strings.Join(command, " \\\n  ")
}

// stream is the option for a route whose only answer is a stream.
func stream(r route) string {
	if len(r.Accepts) == 1 && r.Accepts[0] == "text/event-stream" {
		return " -N"
	}
	return ""
}

// token is the variable with the token of somebody who may do this.
func token(r route) string {
	if r.Who != "" {
		return r.Who
	}
	return "token"
}

func quoted(s string) string { return strings.ReplaceAll(s, "'", `'\''`) }
