/// What people should know of a route besides its summary and its types.
enum ReferenceNotes {
    /// By method and path.
    static let all = [
        "GET /api/v1/me": "Also what is left of the rate limit. A good first request: it changes nothing.",
        "POST /api/v1/key/revoke":
            "For whoever finds a leaked key. A new key takes its place, which only its owner sees, in the dashboard.",
        "POST /api/v1/key/regenerate": "The old key is dead when the response arrives. The response has the new one.",
        "POST /operator/v1/users":
            "Makes the Secret Key and a workspace of the user's own too. The user has no password: a portal link signs them in.",
        "PUT /operator/v1/users/{user}":
            "Safe to repeat every night: it sets e-mail, name and external id, and nothing else. With ext:… it creates the user if there is none.",
        "PATCH /operator/v1/users/{user}": "Changes the members that you send; null clears the external id.",
        "DELETE /operator/v1/users/{user}":
            "The key ends first, and is refused when the response arrives. "
            + "The body says what becomes of shared workspaces whose last Owner the user is.",
        "PUT /operator/v1/users/{user}/limit": "0 lets no request pass; null lets the plan's limit hold again.",
        "PUT /operator/v1/workspaces/{workspace}/limit":
            "0 lets no request pass; null lets the plan's limit hold again.",
        "POST /operator/v1/users/{user}/quota/reset": "What was used so far counts no more when the response arrives.",
        "POST /operator/v1/users/{user}/key/reveal": "It is audited.",
        "POST /operator/v1/users/{user}/key/regenerate":
            "The old key is dead when the response arrives. The new key is in the response where the token also has the scope keys:reveal.",
        "PUT /operator/v1/workspaces/{workspace}": "With ext:… it creates the workspace if there is none.",
        "PUT /operator/v1/workspaces/{workspace}/plan": "It holds everywhere when the response arrives.",
        "POST /operator/v1/introspect":
            "Treat everything but active: true as a refusal. An active response counts as one request of the hour.",
        "POST /operator/v1/keys/lookup": "Counts no request, and leaves “Last used” as it is.",
        "POST /operator/v1/batch":
            "Up to 1,000 operations; each has the result that it would have had alone, and one that fails leaves the others as they are. Sent again with the same Idempotency-Key, it goes on where it ended.",
        "POST /operator/v1/portal-links":
            "Redirect the browser of your signed-in user to the url, or show it in a frame. It works once.",
    ]

    /// The parameters of paths, by name.
    static let path = [
        "user": "The user, by its id here or by yours.", "workspace": "The workspace, by its id here or by yours.",
        "workspaceID": "The workspace's id.", "plan": "The plan's id.",
    ]
}
