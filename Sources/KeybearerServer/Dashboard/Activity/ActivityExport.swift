import Foundation
import HummingbirdCore
import Keybearer
import NIOCore

/// The filtered list as a file, written page by page: however long it is, one page of it is in memory.
struct ActivityExport: Sendable {
    /// What the file is.
    enum Format: String, CaseIterable, Sendable {
        case csv
        case lines = "jsonl"

        var contentType: String {
            switch self {
            case .csv: "text/csv; charset=utf-8; header=present"
            case .lines: "application/jsonl; charset=utf-8"
            }
        }
    }

    /// How many events are in memory at the same time.
    static let pageSize = 500

    let format: Format
    let reader: UserID
    let isOwn: Bool

    /// A body that asks for one page after another.
    ///
    /// - Parameters:
    ///   - first: the first page: what is refused is refused before the file begins.
    ///   - read: the page before a place.
    func body(
        _ first: ActivityService.Page, _ read: @escaping @Sendable (AuditPlace) async throws -> ActivityService.Page
    ) -> ResponseBody {
        ResponseBody { writer in
            var page = first
            if format == .csv { try await writer.write(ByteBuffer(string: CSV.row(ActivityLine.names))) }
            while true {
                if !page.events.isEmpty { try await writer.write(try text(page.events)) }
                guard let next = page.next else { break }
                page = try await read(next)
            }
            try await writer.finish(nil)
        }
    }

    private func text(_ events: [NamedAuditEvent]) throws -> ByteBuffer {
        var buffer = ByteBuffer()
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        for named in events {
            let line = ActivityLine(named, for: reader, isOwn: isOwn)
            switch format {
            case .csv: buffer.writeString(CSV.row(line.cells))
            case .lines:
                buffer.writeBytes(try encoder.encode(line))
                buffer.writeString("\n")
            }
        }
        return buffer
    }
}

/// An event as a file holds it.
struct ActivityLine: Encodable, Sendable {
    let id: String
    let at: String
    let what: String
    let who: String
    let action: String
    let actor: String
    let user: String?
    let workspace: String?
    let before: String?
    let after: String?
    let address: String?
    let userAgent: String?
    let requestId: String?

    init(_ named: NamedAuditEvent, for reader: UserID, isOwn: Bool) {
        let event = named.event
        let sentence = ActivitySentence(named, for: reader)
        (id, at, what, who) = (event.id.rawValue, event.at.description, sentence.text, sentence.actor)
        (action, actor) = (event.action.rawValue, event.actor.storedForm)
        (user, workspace) = (event.userID?.rawValue, event.workspaceID?.rawValue)
        (before, after) = (event.change?.before, event.change?.after)
        let isTold = !isOwn || event.actor == .user(reader) || event.action == .signInFailed
        address = isTold ? event.address?.textIfAny : nil
        userAgent = isTold ? event.origin?.userAgent : nil
        requestId = isTold ? event.origin?.requestID : nil
    }

    static let names = [
        "id", "at", "what", "who", "action", "actor", "user", "workspace", "before", "after", "address", "userAgent",
        "requestId",
    ]

    var cells: [String] {
        [
            id, at, what, who, action, actor, user ?? "", workspace ?? "", before ?? "", after ?? "", address ?? "",
            userAgent ?? "", requestId ?? "",
        ]
    }
}
