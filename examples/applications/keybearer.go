// Package keybearer tells who the client is, for a Go application behind a gateway that asks Keybearer. Standard library
// only.
//
//	http.ListenAndServe(address, keybearer.Required(handler))
//
// Requests that Keybearer allowed have an identity: keybearer.IdentityOf(request). Required refuses others with 401;
// without it they have none, where the product has tokens of its own, or paths that need no key.
//
// The application must listen where only the gateway reaches it: whoever reaches it directly can claim any identity.
package keybearer

import (
	"net/http"
	"net/url"
)

// Realm is what a refusal calls your product.
var Realm = "API"

const refusal = `{"ok":false,"error":"UNAUTHORIZED","message":"The Secret Key is missing or not valid."}`

// Identity is whose key the request had. What Keybearer does not know is empty: a workspace, if the request named none.
type Identity struct {
	User, Email           string
	EmailVerified         bool
	Workspace, Role, Plan string
	KeyPrefix             string
}

// IdentityOf reads the headers; nil unless each is there exactly once.
func IdentityOf(request *http.Request) *Identity {
	identity, verified := &Identity{}, ""
	members := map[string]*string{
		"User": &identity.User, "Email": &identity.Email, "Email-Verified": &verified,
		"Workspace": &identity.Workspace, "Role": &identity.Role, "Plan": &identity.Plan,
		"Key-Prefix": &identity.KeyPrefix,
	}
	for name, member := range members {
		values := request.Header.Values("X-Keybearer-" + name)
		if len(values) != 1 || values[0] == "" {
			return nil
		}
		// Keybearer writes what may not be in a header as %XX, and "-" for nothing.
		if values[0] == "-" {
			continue
		}
		value, err := url.PathUnescape(values[0])
		if err != nil {
			return nil
		}
		*member = value
	}
	identity.EmailVerified = verified == "true"
	return identity
}

// Required is the middleware: it refuses requests without an identity, and gives answers the request's id.
func Required(next http.Handler) http.Handler {
	return http.HandlerFunc(func(writer http.ResponseWriter, request *http.Request) {
		if id := request.Header.Get("X-Request-Id"); id != "" {
			writer.Header().Set("X-Request-Id", id)
		}
		if IdentityOf(request) == nil {
			writer.Header().Set("Content-Type", "application/json")
			writer.Header().Set("WWW-Authenticate", `Bearer realm="`+Realm+`"`)
			writer.WriteHeader(http.StatusUnauthorized)
			_, _ = writer.Write([]byte(refusal))
			return
		}
		next.ServeHTTP(writer, request)
	})
}
