// Package otherheaders makes the key of X-Api-Key or HTTP Basic a bearer token. Traefik interprets it.
package otherheaders

import (
	"context"
	"net/http"
	"regexp"
)

// Config is what the middleware says.
type Config struct {
	Prefix string `json:"prefix,omitempty"`
}

// CreateConfig returns what holds unless the middleware says otherwise.
func CreateConfig() *Config { return &Config{Prefix: "tdc_"} }

type handler struct {
	next http.Handler
	key  *regexp.Regexp
}

// New makes the middleware.
func New(_ context.Context, next http.Handler, config *Config, _ string) (http.Handler, error) {
	key, err := regexp.Compile("^" + regexp.QuoteMeta(config.Prefix) + "[0-9A-Za-z]+$")
	return &handler{next, key}, err
}

func (h *handler) ServeHTTP(response http.ResponseWriter, request *http.Request) {
	keys, others := request.Header["X-Api-Key"], len(request.Header["Authorization"])
	if user, password, isBasic := request.BasicAuth(); isBasic && others == 1 && len(keys) == 0 {
		others = 0
		for _, each := range []string{user, password} {
			if h.key.MatchString(each) {
				keys = append(keys, each)
			}
		}
	}
	if len(keys) == 1 && others == 0 {
		request.Header.Set("Authorization", "Bearer "+keys[0])
	} else if len(keys) > 0 {
		// Of a request with two credentials neither is chosen: it gets no key, so Keybearer refuses it.
		request.Header.Set("Authorization", "Bearer two-credentials")
	}
	h.next.ServeHTTP(response, request)
}
