import Keybearer

/// Requests that belong together, under one heading.
struct ReferenceGroup: Sendable, Equatable {
    let id: String
    let title: String
    let text: String
    let endpoints: [ReferenceEndpoint]

    /// A heading, and which paths are under it.
    private struct Kind {
        let id: String
        let title: String
        let text: String
        let holds: @Sendable (_ path: String) -> Bool
    }

    /// The groups of the routes, without empty ones. A path that none of them names is under its own first word.
    static func all(_ routes: [Route], place: ReferencePage.Place) -> [ReferenceGroup] {
        var rest = routes
        var groups: [ReferenceGroup] = []
        for kind in kinds {
            let (own, others) = rest.split { kind.holds($0.path) }
            groups.append(ReferenceGroup(kind.id, kind.title, kind.text, own, place))
            rest = others
        }
        while let first = rest.first {
            let word = word(of: first.path)
            let (own, others) = rest.split { self.word(of: $0.path) == word }
            let title = word.prefix(1).uppercased() + word.dropFirst().replacing("-", with: " ")
            groups.append(ReferenceGroup("operator-\(word)", title, "", own, place))
            rest = others
        }
        return groups.filter { !$0.endpoints.isEmpty }
    }

    private init(_ id: String, _ title: String, _ text: String, _ routes: [Route], _ place: ReferencePage.Place) {
        (self.id, self.title, self.text) = (id, title, text)
        endpoints = routes.compactMap { route in
            route.endpoint.map { ReferenceEndpoint(route, $0, place: place) }
        }
    }

    /// `webhooks` of `/operator/v1/webhooks/{webhook}`.
    private static func word(of path: String) -> String {
        path.split(separator: "/").dropFirst(2).first.map(String.init) ?? "others"
    }

    private static func isOfWebhooks(_ path: String) -> Bool {
        path.hasPrefix("/api/v1/webhooks") || path.hasPrefix("/api/v1/event-types")
    }

    private static let kinds = [
        Kind(id: "api", title: "API", text: "What a program does with a Secret Key, in the name of its account.") {
            !OperatorResponder.isOperator($0[...]) && !isOfWebhooks($0)
        },
        Kind(
            id: "webhooks", title: "Webhooks",
            text:
                "URLs of yours that get a message whenever something happens in a workspace, for its Owners and Admins."
        ) { !OperatorResponder.isOperator($0[...]) && isOfWebhooks($0) },
        Kind(
            id: "operator-users", title: "Users",
            text: "The product's users. A path names one by usr_… or by your own id: ext:42."
        ) { $0.hasPrefix("/operator/v1/users") && !$0.contains("/key") },
        Kind(
            id: "operator-keys", title: "Keys of users",
            text: "Every user has exactly one Secret Key. Only its own routes show it."
        ) { $0.hasPrefix("/operator/v1/users") },
        Kind(
            id: "operator-workspaces", title: "Workspaces and members",
            text: "A workspace has a plan and members. A path names it by ws_… or by your own id: ext:team-7."
        ) { $0.hasPrefix("/operator/v1/workspaces") },
        Kind(
            id: "operator-plans", title: "Plans", text: "What workspaces can be on: features, and a rate limit."
        ) { $0.hasPrefix("/operator/v1/plans") },
        Kind(
            id: "operator-look-up", title: "Look-up", text: "Whether a key may pass, and whose key was found."
        ) { ["/operator/v1/introspect", "/operator/v1/keys/lookup"].contains($0) },
        Kind(
            id: "operator-batch", title: "Batch", text: "Many writes in one request, in order."
        ) { $0 == "/operator/v1/batch" },
        Kind(
            id: "operator-portal", title: "Portal links",
            text: "How your product signs its users in to their key or their webhooks."
        ) { $0.hasPrefix("/operator/v1/portal") },
        Kind(
            id: "operator-audit", title: "Audit log", text: "Who did what to what, when, and from where."
        ) { $0.hasPrefix("/operator/v1/audit") },
        Kind(
            id: "operator-webhooks", title: "Webhooks of workspaces",
            text: "Those of every workspace, and your own, which get the events of all of them."
        ) { $0.hasPrefix("/operator/v1/webhooks") },
    ]
}

extension Array {
    /// Those that satisfy a condition, and the others, in their order.
    fileprivate func split(_ condition: (Element) -> Bool) -> ([Element], [Element]) {
        (filter(condition), filter { !condition($0) })
    }
}
