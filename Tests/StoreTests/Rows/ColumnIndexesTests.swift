import TestSupport
import Testing

@testable import KeybearerSQL

/// ``ColumnIndexes``: every column is found under its name, and no other name is.
@Suite struct ColumnIndexesTests {
    @Test func everyNameIsFoundAndNoOther() {
        let random = RandomNames(seed: 7)
        for count in [0, 1, 2, 3, 7, 41, 200] {
            let names = random.names(count)
            let indexes = ColumnIndexes().indexes { names }
            for (index, name) in names.enumerated() { #expect(indexes[name] == index, "\(name) of \(count)") }
            for name in random.names(100, from: 1_000) { #expect(indexes[name] == nil) }
        }
    }

    @Test func ofTwoColumnsWithOneNameTheFirstIsFound() {
        let indexes = ColumnIndexes().indexes { ["id", "name", "id", "name", ""] }
        #expect(indexes["id"] == 0 && indexes["name"] == 1 && indexes[""] == 4 && indexes["i"] == nil)
    }

    @Test func theNamesAreAskedForOnce() {
        let columns = ColumnIndexes()
        let first = columns.indexes { ["a"] }
        let second = columns.indexes {
            Issue.record("asked again")
            return ["b"]
        }
        #expect(first["a"] == 0 && second["a"] == 0 && second["b"] == nil)
    }
}

/// Names that share most of their letters, as columns do.
private struct RandomNames {
    let seed: Int

    func names(_ count: Int, from first: Int = 0) -> [String] {
        (0..<count).map { "workspace_\(($0 + first) * seed)" + ($0.isMultiple(of: 2) ? "_at" : "") }
    }
}
