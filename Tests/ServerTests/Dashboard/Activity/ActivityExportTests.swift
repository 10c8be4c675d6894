import Foundation
import HummingbirdCore
import TestSupport
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The ``ActivityExport``: one page of events after another.
@Suite struct ActivityExportTests {
    private let reader = UserID(rawValue: "usr_reader")

    @Test("The pages follow each other, each asked for when the one before was written")
    func pages() async throws {
        for format in ActivityExport.Format.allCases {
            let asked = Counter()
            let named = NamedAuditEvent.sample(.memberAdded, user: "usr_bob", actorName: "=Ada", userName: "Bob")
            let first = ActivityService.Page(events: [named, named], next: AuditPlace(at: 1, sequence: 2))
            let body = ActivityExport(format: format, reader: reader, isOwn: false).body(first) { place in
                #expect(place == AuditPlace(at: 1, sequence: 2))
                asked.increment()
                return ActivityService.Page(events: [named], next: asked.value == 2 ? nil : place)
            }
            let writer = BodyCollector()
            try await body.write(writer)
            #expect(asked.value == 2)
            let lines = writer.text.split(whereSeparator: \.isNewline)
            switch format {
            case .csv:
                #expect(lines.count == 5 && lines[0].hasPrefix("id,at,what,who"))
                #expect(lines[1].contains(",'=Ada added Bob") && lines[1].contains(",192.0.2.7,"))
            case .lines:
                #expect(lines.count == 4)
                let first = try object(String(lines[0]))
                #expect(first["action"] as? String == "workspace.member_added" && first["who"] as? String == "=Ada")
            }
        }
    }
}
