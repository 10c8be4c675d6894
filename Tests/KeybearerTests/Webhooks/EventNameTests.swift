import Testing

@testable import Keybearer

/// Names of events: ``EventName``, ``EventSelection``, ``OwnEvent``.
@Suite struct EventNameTests {
    @Test(arguments: ["invoice.paid", "a", "order_1.line-item.added", String(repeating: "a", count: 100)])
    func isAName(_ text: String) {
        #expect(EventName(parsing: text)?.rawValue == text)
    }

    @Test(arguments: [
        "", ".", "a.", ".a", "a..b", "A.b", "a b", "a/b", "é", "a\n", String(repeating: "a", count: 101), "*",
    ])
    func isNone(_ text: String) {
        #expect(EventName(parsing: text) == nil)
    }

    @Test func theProductsNamesAreOthers() {
        for own in OwnEvent.allCases {
            #expect(own.name.isReserved && EventName(parsing: own.rawValue) != nil && !own.summary.isEmpty)
        }
        #expect(EventName(rawValue: "key.anything").isReserved)
        #expect(!EventName(rawValue: "keys.made").isReserved && !EventName(rawValue: "invoice.paid").isReserved)
    }

    @Test func aSelectionIsReadAsItIsWritten() throws {
        let some = try EventSelection(parsing: ["b.b", "a.a", "b.b"])
        #expect(some.texts == ["a.a", "b.b"] && EventSelection(storedForm: some.storedForm) == some)
        #expect(some.contains(EventName(rawValue: "a.a")) && !some.contains(EventName(rawValue: "a.b")))
        let all = try EventSelection(parsing: ["*"])
        #expect(all == .all && all.storedForm == "*" && EventSelection(storedForm: "*") == .all)
        #expect(all.contains(EventName(rawValue: "x")))
    }

    @Test(arguments: [[], ["*", "a"], ["A"], Array(repeating: "a", count: 201)])
    func isNoSelection(_ texts: [String]) {
        #expect(throws: EventSelection.Problem.self) { try EventSelection(parsing: texts) }
    }
}
