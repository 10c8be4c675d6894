import Foundation
import HTTPTypes
import Keybearer
import NIOCore

/// What the examples send and get. What is not named here is made from the types of the request and of the response.
enum ReferenceSamples {
    /// The values of a path's parameters.
    static let path = [
        "user": "ext:42", "workspace": "ext:team-7", "plan": "gold", "workspaceID": "ws_AyMs808KGcMTnVZichwu",
        "webhookID": "whe_AyMs808KGcMTnVZichwu", "messageID": "evt_019bc2f0-1f3a-7d00-8e21-0c4d7a9b3e5f",
        "eventType": "invoice.paid",
    ]

    /// The body of a request; nil for none.
    static func body(of route: Route, keyPrefix: String) -> ReferenceCode.Body {
        switch route.endpoint?.body {
        case nil, .nothing?, .emptyObject?: return .nothing
        case .form(let fields)?:
            return .form(
                fields.filter(\.isRequired).map { field in
                    (field.name, field.name == "token" ? keyPrefix + "YOUR_API_KEY" : "…")
                })
        // What it does without one.
        case .optionalJSON?: return .nothing
        case .json(let members, _)?:
            let known = bodies["\(route.method.rawValue) \(route.path)"]
            let required = members.filter(\.isRequired).map { ($0.name, value(of: $0.schema)) }
            let sent = known ?? Dictionary(uniqueKeysWithValues: required)
            return .json(.object(sent.mapValues { $0 == token ? .text(keyPrefix + "YOUR_API_KEY") : $0 }))
        }
    }

    /// Stands for a Secret Key.
    private static let token = JSONValue.text("the key")

    private static let bodies: [String: [String: JSONValue]] = [
        "POST /operator/v1/users": person, "PUT /operator/v1/users/{user}": person.filter { $0.key != "externalId" },
        "PATCH /operator/v1/users/{user}": ["name": .text("Ada Lovelace")],
        "POST /operator/v1/workspaces": [
            "name": .text("Team 7"), "externalId": .text("team-7"), "owner": .text("ext:42"), "plan": .text("pro"),
        ],
        "PUT /operator/v1/workspaces/{workspace}": ["name": .text("Team 7"), "owner": .text("ext:42")],
        "PATCH /operator/v1/workspaces/{workspace}": ["name": .text("Team Seven")],
        "POST /operator/v1/workspaces/{workspace}/service-accounts": ["name": .text("Production")],
        "PUT /operator/v1/workspaces/{workspace}/plan": ["plan": .text("pro")],
        "PUT /operator/v1/workspaces/{workspace}/limit": limit, "PUT /operator/v1/users/{user}/limit": limit,
        "PUT /operator/v1/users/{user}/networks": ["networks": .array([.text("203.0.113.0/24")])],
        "POST /operator/v1/bulk/regenerate": bulk, "POST /operator/v1/bulk/disable": bulk,
        "POST /operator/v1/bulk/end-sessions": bulk,
        "PUT /operator/v1/workspaces/{workspace}/members/{user}": ["role": .text("admin")],
        "PUT /operator/v1/plans/{plan}": [
            "name": .text("Gold"), "features": .array([.text("api_webhooks")]), "hourlyLimit": .number(5_000),
            "position": .number(2),
        ],
        "POST /operator/v1/keys/lookup": ["token": token],
        "POST /operator/v1/portal-links": ["user": .text("ext:42")],
        "POST /operator/v1/batch": [
            "operations": .array([
                .object([
                    "method": .text("PUT"), "path": .text("/users/ext:42"),
                    "body": .object(["email": .text("ada@example.com"), "name": .text("Ada")]),
                ]),
                .object(["method": .text("POST"), "path": .text("/users/ext:42/end-sessions")]),
            ])
        ],
        "POST /api/v1/webhooks": webhook.merging(["workspaceId": .text("ws_AyMs808KGcMTnVZichwu")]) { $1 },
        "PATCH /api/v1/webhooks/{webhookID}": ["name": .text("Invoices")],
        "POST /api/v1/webhooks/{webhookID}/replay": span,
        "POST /operator/v1/webhooks": webhook.merging(["workspace": .text("ext:team-7")]) { $1 },
        "PATCH /operator/v1/webhooks/{webhookID}": ["name": .text("Invoices")],
        "POST /operator/v1/webhooks/{webhookID}/replay": span,
        "PUT /operator/v1/event-types/{eventType}": [
            "description": .text("An invoice was paid."), "example": .object(["id": .text("in_1001")]),
        ],
        "POST /operator/v1/events": event,
        "POST /operator/v1/events/batch": ["events": .array([.object(event)])],
    ]

    private static let webhook: [String: JSONValue] = [
        "name": .text("Orders"), "url": .text("https://yourapp.com/webhooks"),
        "events": .array([.text("member.added")]),
    ]
    private static let span: [String: JSONValue] = [
        "since": .text("2026-01-31T00:00:00Z"), "until": .text("2026-02-01T00:00:00Z"),
    ]
    private static let event: [String: JSONValue] = [
        "id": .text("in_1001-paid"), "type": .text("invoice.paid"), "workspace": .text("ext:team-7"),
        "object": .object(["id": .text("in_1001"), "total": .number(4_200)]),
    ]

    private static let limit: [String: JSONValue] = ["hourlyLimit": .number(5_000)]
    private static let bulk: [String: JSONValue] = [
        "filter": .object(["plan": .text("free")]), "dryRun": .flag(true),
    ]
    private static let person: [String: JSONValue] = [
        "email": .text("ada@example.com"), "name": .text("Ada"), "externalId": .text("42"),
    ]

    /// Any value of a schema.
    private static func value(of schema: Schema) -> JSONValue {
        if let choices = schema["enum"] as? [String], let first = choices.first { return .text(first) }
        if let pattern = schema["pattern"] as? String, pattern.hasPrefix("^(usr_") { return .text("ext:42") }
        if let pattern = schema["pattern"] as? String, pattern.hasPrefix("^(ws_") { return .text("ext:team-7") }
        switch schema["type"] as? String {
        case "integer": return .number(Double(schema["default"] as? Int ?? schema["minimum"] as? Int ?? 1))
        case "boolean": return .flag(true)
        case "array": return .array((schema["items"] as? Schema).map { [value(of: $0)] } ?? [])
        case "object": return .object([:])
        default: return .text("…")
        }
    }

    /// The response to the example's request, as the server writes it; nil where it has no body.
    static func response(to route: Route, keyPrefix: String) -> JSONValue? {
        guard let response = try? route.endpoint?.returns.example(), response.body.readableBytes > 0,
            let whole = try? JSONDecoder().decode(JSONValue.self, from: Data(response.body.readableBytesView))
        else { return nil }
        return seen(changed(whole, by: changes["\(route.method.rawValue) \(route.path)"] ?? [:]), keyPrefix: keyPrefix)
    }

    private static let sentHeaders: [String: JSONValue] = [
        "webhook-id": .text("evt_019bc2f0-1f3a-7d00-8e21-0c4d7a9b3e5f"), "webhook-timestamp": .text("1769850000"),
        "webhook-signature": .text("v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4="), "webhook-sequence": .text("7"),
        "X-TDC-Signature": .text("t=1769850000,v1=sha256=…"),
    ]

    /// What a response has besides the members of its noun's sample, or in other than its sample's values.
    private static let changes: [String: [String: JSONValue]] = {
        let key = ["key": JSONValue.text("tdc_OIeNk0Zq3cV8xR1sYb6Wd2Lm5Tj9Pa4Gf7HuE3")]
        let user = (try? JSONText.encode(UserJSON.sample))
            .flatMap { try? JSONDecoder().decode(JSONValue.self, from: Data($0)) }
        let user200 = JSONValue.object(["ok": .flag(true), "data": user ?? .null])
        let secret = ["secret": JSONValue.text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw3tYbXcVn0pA=")]
        let delivery: [String: JSONValue] = [
            "payload": .text("{…}"),
            "attempts": .array([
                .object([
                    "number": .number(1), "at": .text(sampleTime), "durationMs": .number(12),
                    "request": .object(Self.sentHeaders), "status": .number(200), "problem": .null,
                    "response": .text("ok"),
                ])
            ]),
        ]
        return [
            "POST /api/v1/webhooks": secret, "POST /operator/v1/webhooks": secret,
            "POST /api/v1/webhooks/{webhookID}/rotate-secret": secret,
            "POST /operator/v1/webhooks/{webhookID}/rotate-secret": secret,
            "GET /api/v1/webhooks/{webhookID}/deliveries/{messageID}": delivery,
            "GET /operator/v1/webhooks/{webhookID}/deliveries/{messageID}": delivery,
            "POST \(Routes.regenerateByKey)": key, "POST /operator/v1/users/{user}/key/reveal": key,
            "POST /operator/v1/users/{user}/key/regenerate": key,
            "GET /operator/v1/workspaces": ["members": .number(3)],
            "POST /operator/v1/keys/lookup": ["status": .text("live"), "endedAt": .null, "user": user ?? .null],
            "POST /operator/v1/portal-links": ["url": .text("https://yourapp.com/portal?code=kbl_…")],
            "POST /operator/v1/batch": [
                "results": .array([
                    .object(["status": .number(200), "body": user200]), .object(["status": .number(204)]),
                ])
            ],
            "POST /operator/v1/introspect": [
                "active": .flag(true), "token_type": .text("Bearer"), "sub": .text("usr_a1"),
                "kind": .text("person"), "username": .text("ada@example.com"),
                "iat": .number(1_795_468_282), "keyPrefix": .text("tdc_a1b2"),
                "plan": .text("pro"),
                "rateLimit": .object([
                    "limit": .number(1_000), "remaining": .number(999), "resetAt": .text(sampleTime),
                ]),
            ],
        ]
    }()

    /// Sets members of `data`, of its first element, or of a response without an envelope.
    private static func changed(_ value: JSONValue, by members: [String: JSONValue]) -> JSONValue {
        guard !members.isEmpty else { return value }
        switch value {
        case .object(var object):
            if let data = object["data"] {
                object["data"] = changed(data, by: members)
            } else {
                object.merge(members) { $1 }
            }
            return .object(object)
        case .array(let elements):
            return .array(elements.enumerated().map { $0.offset == 0 ? changed($0.element, by: members) : $0.element })
        case .null, .flag, .number, .text: return value
        }
    }

    private static let sampleTime = "1970-01-01T00:00:00.000Z"
    /// What samples hold, which only need types, and what people know from real responses.
    private static let shown = [
        sampleTime: "2026-11-23T21:11:22.851Z", "1970-01-01T00:01:00.000Z": "2026-11-23T22:13:00.000Z",
        "usr_a1": "usr_06vd9e8VfkIaQladXNIC", "ws_a1": "ws_AyMs808KGcMTnVZichwu", "evt_a1": "evt_9fQ2mVd7Lk3XsT0bYc5W",
        "ptl_a1": "ptl_4nR8kZq1Wc6JhV3xTs0E",
    ]

    private static func seen(_ value: JSONValue, keyPrefix: String) -> JSONValue {
        switch value {
        case .text(let text):
            if text.hasPrefix("tdc_") { return .text(keyPrefix + text.dropFirst(4)) }
            let isSampleTime = text.hasPrefix("1970-01-01T")
            return .text(shown[text] ?? (isSampleTime ? shown[sampleTime] ?? text : text))
        case .array(let values): return .array(values.map { seen($0, keyPrefix: keyPrefix) })
        case .object(let members): return .object(members.mapValues { seen($0, keyPrefix: keyPrefix) })
        case .null, .flag, .number: return value
        }
    }
}
