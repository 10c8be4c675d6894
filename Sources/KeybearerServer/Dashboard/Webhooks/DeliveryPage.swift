import Keybearer

/// One message with its attempts: `GET /workspaces/{workspaceID}/webhooks/{webhookID}/deliveries/{messageID}`.
struct DeliveryPage: Page, Equatable {
    static let template = Template.delivery

    static let resent = Notice(.success, "It is sent again now.", query: "resent")

    /// What surrounds the page.
    let shell: DashboardShell
    /// The workspace in the path.
    let workspaceID: String
    /// What happened before this page.
    let notice: Notice?
    let webhookID: String
    let webhookName: String
    let delivery: DeliveryRow
    let sequence: String
    /// The message, byte for byte as it is sent.
    let payload: String
    let attempts: [AttemptRow]
    let hasAttempts: Bool
    /// Whether it can be sent again now.
    let canResend: Bool
}

/// An attempt on the page of a delivery.
struct AttemptRow: Sendable, Equatable {
    let number: Int
    let at: PageTime
    let duration: String
    let outcome: String
    let isFailure: Bool
    let headers: [HeaderRow]
    /// What came back; nil where nothing did, or nothing is shown.
    let response: String?

    init(_ attempt: DeliveryAttempt) {
        number = attempt.number
        at = PageTime(attempt.at)
        duration = "\(attempt.duration.wholeMilliseconds) ms"
        outcome = attempt.status.map { "Status \($0)" } ?? attempt.problem?.words ?? "Nothing came back."
        isFailure = !(attempt.status.map { (200..<300).contains($0) } ?? false)
        headers = attempt.headers.sorted { $0.key < $1.key }.map { HeaderRow(name: $0.key, value: $0.value) }
        response = attempt.response.isEmpty ? nil : String(decoding: attempt.response, as: UTF8.self)
    }
}

/// A header on the page of a delivery.
struct HeaderRow: Sendable, Equatable {
    let name: String
    let value: String
}
