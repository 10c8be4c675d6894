import Foundation
import TestSupport
import Testing

@testable import Keybearer

/// What is sent: ``NewWebhookMessage``, ``WebhookObject``, ``WebhookNotice``.
@Suite struct WebhookMessageTests {
    private static let samples = Samples()

    private static func json(_ message: NewWebhookMessage) throws -> [String: Any] {
        try #require(try JSONSerialization.jsonObject(with: Data(message.body)) as? [String: Any])
    }

    private static func object(_ message: NewWebhookMessage) throws -> [String: Any] {
        let data = try #require(try json(message)["data"] as? [String: Any])
        return try #require(data["object"] as? [String: Any])
    }

    @Test func theBodyIsTheOneOfTheContract() throws {
        let message = NewWebhookMessage(
            id: WebhookMessageID(rawValue: "evt_9b2f7c1e-5d3a-4f6b-8e21-0c4d7a9b3e5f"),
            event: EventName(rawValue: "invoice.paid"), workspaceID: WorkspaceID(rawValue: "ws_1"), at: Samples.start,
            object: Array(#"{"total":1}"#.utf8))
        #expect(
            String(decoding: message.body, as: UTF8.self) == """
                {"id":"evt_9b2f7c1e-5d3a-4f6b-8e21-0c4d7a9b3e5f","event":"invoice.paid","created":"2026-01-01T00:00:00.000Z",\
                "apiVersion":"2026-05-01","workspaceId":"ws_1","siteId":null,"data":{"object":{"total":1}}}
                """)
    }

    @Test func whatAPersonDoesWithTheOwnKeyIsNoWorkspacesBusiness() throws {
        let workspaceID = WorkspaceID.random(from: Self.samples.random)
        let userID = UserID.random(from: Self.samples.random)
        let event = Self.samples.event(.keyRegenerated, user: userID, workspace: workspaceID)
        let personal = try #require(NewWebhookMessage(of: event, isOfServiceAccount: false))
        #expect(personal.workspaceID == nil && personal.userID == userID)
        #expect(try Self.json(personal)["workspaceId"] is NSNull)
        #expect(try Self.object(personal)["accountKind"] as? String == "person")
        let service = try #require(NewWebhookMessage(of: event, isOfServiceAccount: true))
        #expect(service.workspaceID == workspaceID && service.id == personal.id)
        #expect(try Self.object(service)["accountKind"] as? String == "service")
        #expect(try Self.object(service)["userId"] as? String == userID.rawValue)
    }

    @Test func aPlanSaysWhatItWas() throws {
        let workspaceID = WorkspaceID.random(from: Self.samples.random)
        let event = Self.samples.event(.planChanged, workspace: workspaceID)
            .with(ValueChange(before: "free", after: "pro"))
        let object = try Self.object(try #require(NewWebhookMessage(of: event, isOfServiceAccount: false)))
        #expect(object["planBefore"] as? String == "free" && object["planAfter"] as? String == "pro")
        #expect(object["workspaceId"] as? String == workspaceID.rawValue && object["actor"] as? String == "system")
    }

    @Test func mostOfWhatIsAuditedIsToldToNobody() {
        let told = AuditEvent.Action.allCases.filter {
            NewWebhookMessage(of: Self.samples.event($0), isOfServiceAccount: false) != nil
        }
        #expect(
            Set(told) == [
                .keyRegenerated, .keyRevoked, .planChanged, .memberAdded, .memberRemoved, .invitationAccepted,
            ])
    }

    @Test func aNoticeNamesTheAttemptAndNeverTheSecretOrTheURL() throws {
        let endpoint = WebhookEndpoint(
            id: WebhookEndpointID(rawValue: "whe_1"), workspaceID: WorkspaceID(rawValue: "ws_1"), name: "Hooks",
            url: try WebhookURL(parsing: "https://example.com/token-in-path"), events: .all,
            createdAt: Samples.start, updatedAt: Samples.start)
        let attempt = AttemptRecord(
            delivery: ClaimedDelivery(
                endpointID: endpoint.id, messageID: WebhookMessageID(rawValue: "evt_1"),
                event: EventName(rawValue: "invoice.paid"), sequence: 1, attempts: 2, attemptsBefore: 0, body: [],
                claim: []),
            at: Samples.start, duration: .zero, reply: WebhookReply(.timedOut), wasHealthy: false, retryAfter: nil)
        let notice = WebhookNotice(.disable, of: endpoint, attempt: attempt, at: Samples.start)
        let message = notice.message
        #expect(message.event == OwnEvent.endpointDisabled.name && message.excludedID == endpoint.id)
        let object = try Self.object(message)
        #expect(object["webhookId"] as? String == "whe_1" && object["attempt"] as? Int == 3)
        #expect(object["outcome"] as? String == "timed-out")
        let mail = try #require(notice.mail)
        #expect(mail.kind == .webhookDisabled && mail.recipient == .managers(of: WorkspaceID(rawValue: "ws_1")))
        let all = String(decoding: message.body, as: UTF8.self) + (mail.detail ?? "")
        #expect(!all.contains("token-in-path") && all.contains("invoice.paid"))
        #expect(
            WebhookNotice(.notifyOfRecovery, of: endpoint, attempt: attempt, at: Samples.start).mail?.kind
                == .webhookRecovered)
    }
}
