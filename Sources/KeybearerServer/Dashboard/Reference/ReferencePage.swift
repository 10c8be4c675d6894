import HTTPTypes
import Keybearer

/// The page for people who write programs: `GET /docs`. It describes the routes that its listener serves, as
/// ``OpenAPI`` does, and has no script.
struct ReferencePage: Page {
    static let template = Template.reference

    /// Where programs reach the server, and what its keys begin with.
    struct Place: Sendable, Equatable {
        /// `https://yourapp.com`, for the API.
        let apiURL: String
        /// The same for the operator API.
        let operatorURL: String
        /// What new keys begin with.
        let keyPrefix: String
    }

    let place: Place
    /// Whether the API of Secret Keys is there.
    let hasAPI: Bool
    /// Whether the operator API is there.
    let hasOperator: Bool
    /// The scopes that routes need, in the order of their names.
    let scopes: [String]
    let groups: [ReferenceGroup]
    let errors: [ReferenceError]

    /// Puts the page together.
    ///
    /// - Parameter routes: those that the listener serves; pages and probes have no description and are left out.
    init(routes: [Route], place: Place) {
        self.place = place
        let described = routes.filter { $0.endpoint != nil }
        hasOperator = described.contains { OperatorResponder.isOperator($0.path[...]) }
        hasAPI = described.contains { !OperatorResponder.isOperator($0.path[...]) }
        scopes = Set(
            described.compactMap { route in
                if case .operatorToken(let scope?, _) = route.access { scope.rawValue } else { nil }
            }
        ).sorted()
        groups = ReferenceGroup.all(described, place: place)
        errors = ErrorCode.allCases.map { ReferenceError($0) }
    }
}

/// One request of the API.
struct ReferenceEndpoint: Sendable, Equatable {
    /// Names it in the page's addresses.
    let id: String
    let method: String
    /// The same for the style sheet.
    let methodName: String
    let path: String
    /// The path without what all paths of its API begin with, for the contents.
    let shortPath: String
    let summary: String
    /// What to know besides; nil for nothing.
    let remark: String?
    /// Who may send it, in words.
    let caller: String
    /// The scope that it needs; nil for none.
    let scope: String?
    let parameters: ReferenceTable?
    let body: ReferenceTable?
    let curl: String
    let node: String
    let python: String
    let status: Int
    /// The body of the response; nil where there is none.
    let response: String?
    /// The codes of the failures.
    let errors: [String]

    init(_ route: Route, _ endpoint: Endpoint, place: ReferencePage.Place) {
        let isOperator = OperatorResponder.isOperator(route.path[...])
        method = route.method.rawValue
        methodName = method.lowercased()
        path = route.path
        shortPath = String(path.dropFirst(isOperator ? Routes.operatorRoot.count : "/api/v1".count))
        let words = path.split { "/{}".contains($0) }.filter { $0 != "v1" && $0 != "api" }
        id = ([method.lowercased()] + words.map(String.init)).joined(separator: "-")
        summary = endpoint.summary
        remark = ReferenceNotes.all["\(method) \(path)"]
        (caller, scope) = Self.caller(of: route.access)
        let inPath = route.pathParameters.map {
            ReferenceTable.Row(name: $0.name, place: "path", isRequired: true, $0.schema, ReferenceNotes.path[$0.name])
        }
        let others = (endpoint.parameters + route.access.parameters).map {
            ReferenceTable.Row(name: $0.name, place: $0.place.rawValue, isRequired: false, $0.schema, $0.description)
        }
        parameters = ReferenceTable(inPath + others)
        switch endpoint.body {
        case .nothing, .emptyObject: body = nil
        case .form(let fields), .json(let fields, _), .optionalJSON(let fields):
            body = ReferenceTable(
                fields.map {
                    ReferenceTable.Row(name: $0.name, place: nil, isRequired: $0.isRequired, $0.schema, $0.description)
                })
        }
        let filled = ReferenceSamples.path.reduce(path) { $0.replacing("{\($1.key)}", with: $1.value) }
        let code = ReferenceCode(
            method: method, url: (isOperator ? place.operatorURL : place.apiURL) + filled,
            token: isOperator ? "kbo_YOUR_OPERATOR_TOKEN" : place.keyPrefix + "YOUR_API_KEY",
            body: ReferenceSamples.body(of: route, keyPrefix: place.keyPrefix))
        (curl, node, python) = (code.curl, code.node, code.python)
        status = endpoint.returns.status.code
        response = ReferenceSamples.response(to: route, keyPrefix: place.keyPrefix).map { JSONLayout.text($0) }
        errors = Set(route.errors).sorted { ($0.status.code, $0.rawValue) < ($1.status.code, $1.rawValue) }
            .map(\.rawValue)
    }

    private static func caller(of access: Route.Access) -> (words: String, scope: String?) {
        let feature = Feature.apiWebhooks.displayName
        switch access {
        case .key(.header, _): return ("A Secret Key, on a plan with \(feature).", nil)
        case .key(.path, _): return ("A Secret Key of a member of the workspace, on a plan with \(feature).", nil)
        case .key(.accountOnly, _): return ("A Secret Key, on any plan.", nil)
        case .key(.keyAlone, _): return ("A Secret Key, on any plan. It counts no request.", nil)
        case .operatorToken(let scope?, _): return ("An operator token with the scope", scope.rawValue)
        case .operatorToken(nil, _): return ("An operator token with the scope of each operation.", nil)
        case .probe, .anyone, .session: return ("Anyone.", nil)
        }
    }
}

/// Parameters of a request, or members of its body.
struct ReferenceTable: Sendable, Equatable {
    let rows: [Row]

    /// Nil without rows.
    init?(_ rows: [Row]) {
        if rows.isEmpty { return nil }
        self.rows = rows
    }

    /// One of them.
    struct Row: Sendable, Equatable {
        let name: String
        /// Path, query or header; nil for a member.
        let place: String?
        let isRequired: Bool
        let type: String
        let description: String

        init(name: String, place: String?, isRequired: Bool, _ schema: Schema, _ description: String?) {
            (self.name, self.place, self.isRequired) = (name, place, isRequired)
            type = SchemaText.describe(schema)
            self.description = description ?? ""
        }
    }
}
