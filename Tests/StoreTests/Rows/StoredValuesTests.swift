import Keybearer
import KeybearerSQL
import Testing

/// What ``StoredValues`` makes of a ``StoredRow``.
@Suite struct StoredValuesTests {
    /// A plan's row as an engine gives it.
    private struct Row: StoredRow {
        let billingURL: String?

        func text(_ column: String) -> String? {
            ["plan_id": "pro", "plan_name": "Pro", "feature": "time_travel", "billing_url": billingURL][column] ?? nil
        }
        func number(_ column: String) -> Int64? { ["hourly_limit": 1_000, "position": 1][column] }
        func flag(_ column: String) -> Bool? { nil }
        func bytes(_ column: String) -> [UInt8]? { nil }
    }

    @Test("A change of imported keys is stored as one of everything, with their prefixes, and read as it was")
    func importedKeys() throws {
        struct ChangeRow: StoredRow {
            let subject: String?
            func text(_ column: String) -> String? {
                ["subject_kind": "everything", "subject_id": subject, "mark": "a"][column] ?? nil
            }
            func number(_ column: String) -> Int64? { 1 }
            func flag(_ column: String) -> Bool? { nil }
            func bytes(_ column: String) -> [UInt8]? { nil }
        }
        func read(_ id: String?) throws -> Change.Subject? {
            try StoredValues.changes(
                after: ChangeLogPosition(number: 0, nonce: ""), limit: 1, of: [ChangeRow(subject: id)])?.first?.subject
        }
        let prefixes = [DigestPrefix(0), DigestPrefix(.max), DigestPrefix(42)]
        let stored = StoredValues.storedForm(.importedKeys(prefixes))
        #expect(stored.kind == "everything" && stored.id?.utf8.count == 48)
        #expect(try read(stored.id) == .importedKeys(prefixes))
        #expect(try read(nil) == .everything)
        #expect(throws: KeybearerError.self) { try read(stored.id?.dropLast().description) }
        #expect(throws: KeybearerError.self) { try read("usr_1") }
    }

    @Test(
        "A plan of version 0.1 is read whatever its billing URL is; what must not become a link is left out",
        arguments: [
            ("https://yourapp.com/billing", "https://yourapp.com/billing"), ("/billing", "/billing"),
            ("javascript:alert(1)", nil), ("//evil.example", nil), ("/\t/evil.example", nil), (nil, nil),
        ] as [(String?, String?)])
    func billingURL(stored: String?, read: String?) throws {
        let plan = try StoredValues.plan([Row(billingURL: stored)])
        #expect(plan.billingURL?.description == read && plan.name == "Pro")
        #expect(plan.features == [Feature(rawValue: "time_travel")], "rows with unknown features are read too")
    }
}
