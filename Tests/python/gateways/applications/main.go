// An application of the Go example: serves on a port, and tells who the client is.
package main

import (
	"encoding/json"
	"log"
	"net/http"
	"os"

	"application/keybearer"
)

func orNull(text string) any {
	if text == "" {
		return nil
	}
	return text
}

func tell(writer http.ResponseWriter, request *http.Request) {
	if id := request.Header.Get("X-Request-Id"); id != "" {
		writer.Header().Set("X-Request-Id", id)
	}
	writer.Header().Set("Content-Type", "application/json")
	identity := keybearer.IdentityOf(request)
	if identity == nil {
		_, _ = writer.Write([]byte("null"))
		return
	}
	text, err := json.Marshal(map[string]any{
		"user": orNull(identity.User), "email": orNull(identity.Email), "email_verified": identity.EmailVerified,
		"workspace": orNull(identity.Workspace), "role": orNull(identity.Role), "plan": orNull(identity.Plan),
		"key_prefix": orNull(identity.KeyPrefix),
	})
	if err != nil {
		log.Fatal(err)
	}
	_, _ = writer.Write(text)
}

func main() {
	var handler http.Handler = http.HandlerFunc(tell)
	if os.Args[2] == "required" {
		handler = keybearer.Required(handler)
	}
	log.Fatal(http.ListenAndServe("127.0.0.1:"+os.Args[1], handler))
}
