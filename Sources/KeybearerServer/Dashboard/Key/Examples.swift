/// The example requests on the key's page, filled in for this server.
enum Examples {
    /// All of them, in the order of their tabs.
    static func all(apiURL: String, prefix: String) -> [Example] {
        [
            Example("curl", "cURL", curl(apiURL: apiURL, prefix: prefix)),
            Example("node", "Node.js", node(apiURL: apiURL, prefix: prefix)),
            Example("python", "Python", python(apiURL: apiURL, prefix: prefix)),
            Example("go", "Go", go(apiURL: apiURL, prefix: prefix)),
            Example("swift", "Swift", swift(apiURL: apiURL, prefix: prefix)),
        ]
    }

    static func curl(apiURL: String, prefix: String) -> String {
        """
        curl -H "Authorization: Bearer \(prefix)YOUR_API_KEY" \\
          \(apiURL)/api/v1/me
        """
    }

    static func node(apiURL: String, prefix: String) -> String {
        """
        const res = await fetch('\(apiURL)/api/v1/me', {
          headers: { Authorization: 'Bearer \(prefix)YOUR_API_KEY' },
        });
        const result = await res.json();
        if (result.ok) {
          const { data } = result;
          console.log('User profile:', data);
        } else {
          console.error('Error:', result.error, result.message);
        }
        """
    }

    static func python(apiURL: String, prefix: String) -> String {
        """
        import json
        import urllib.error
        import urllib.request

        request = urllib.request.Request(
            "\(apiURL)/api/v1/me",
            headers={"Authorization": "Bearer \(prefix)YOUR_API_KEY"},
        )
        try:
            with urllib.request.urlopen(request) as response:
                print("User profile:", json.load(response)["data"])
        except urllib.error.HTTPError as failure:
            problem = json.load(failure)
            print("Error:", problem["error"], problem["message"])
        """
    }

    static func go(apiURL: String, prefix: String) -> String {
        """
        package main

        import (
        \t"fmt"
        \t"io"
        \t"net/http"
        )

        func main() {
        \trequest, err := http.NewRequest("GET", "\(apiURL)/api/v1/me", nil)
        \tif err != nil {
        \t\tpanic(err)
        \t}
        \trequest.Header.Set("Authorization", "Bearer \(prefix)YOUR_API_KEY")
        \tresponse, err := http.DefaultClient.Do(request)
        \tif err != nil {
        \t\tpanic(err)
        \t}
        \tdefer response.Body.Close()
        \tbody, err := io.ReadAll(response.Body)
        \tif err != nil {
        \t\tpanic(err)
        \t}
        \tfmt.Println(response.Status, string(body))
        }
        """
    }

    static func swift(apiURL: String, prefix: String) -> String {
        """
        import Foundation
        #if canImport(FoundationNetworking)
        import FoundationNetworking
        #endif

        var request = URLRequest(url: URL(string: "\(apiURL)/api/v1/me")!)
        request.setValue("Bearer \(prefix)YOUR_API_KEY", forHTTPHeaderField: "Authorization")
        let (body, response) = try await URLSession.shared.data(for: request)
        print((response as! HTTPURLResponse).statusCode, String(decoding: body, as: UTF8.self))
        """
    }
}

/// A request as code that can be copied.
struct Example: Sendable, Equatable {
    /// Its part of ids and classes.
    let id: String
    /// The language, as people call it.
    let name: String
    let code: String
    /// Whether its tab is open first.
    let isFirst: Bool

    init(_ id: String, _ name: String, _ code: String) {
        (self.id, self.name, self.code) = (id, name, code)
        isFirst = id == "curl"
    }
}
