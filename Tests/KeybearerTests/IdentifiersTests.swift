import Testing

@testable import Keybearer

/// Ids with the prefix of their kind: the types of ``Identifiers``.
@Suite struct IdentifiersTests {
    @Test("Ids are read by kind")
    func ids() {
        #expect(UserID(parsing: "usr_abc123") != nil)
        for text in ["ws_abc", "usr_", "usr_a-b", "usr_" + String(repeating: "a", count: 41), "usr_é"] {
            #expect(UserID(parsing: text) == nil, "\(text)")
        }
    }
}
