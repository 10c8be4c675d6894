import Testing

@testable import Keybearer

/// ``KeybearerError`` and its codes: what clients and the log see of a failure.
@Suite struct KeybearerErrorTests {
    private struct Driver: Error, CustomStringConvertible {
        var description: String { "password authentication failed for postgres" }
    }

    @Test("Its text has the code and the message, and never the cause")
    func hidesTheCause() {
        let error = KeybearerError(.conflict, "Another account has it.", cause: Driver())
        #expect("\(error)" == "CONFLICT: Another account has it.")
        #expect(String(reflecting: error) == "CONFLICT: Another account has it.")
        // A list shows its elements as a debugger would.
        #expect("\([error])" == "[CONFLICT: Another account has it.]")
        #expect(!"\(KeybearerError.unavailable(cause: Driver()))".contains("password"))
    }

    @Test("With another cause the rest of it stays")
    func causedBy() {
        let error = KeybearerError(
            .rateLimited, "Too many attempts.", fields: ["email": "too many"], retryAfter: .seconds(30))
        let caused = error.caused(by: Driver())
        #expect(caused.code == .rateLimited)
        #expect(caused.message == "Too many attempts.")
        #expect(caused.fields == ["email": "too many"])
        #expect(caused.retryAfter == .seconds(30))
        #expect(error.cause == nil)
        #expect(caused.cause is Driver)
        #expect(caused.caused(by: nil).cause == nil)
    }

    @Test("A refusal of fields names them and their problems")
    func validation() {
        let error = KeybearerError.validation(["name": "is empty"])
        #expect(error.code == .validationFailed)
        #expect(error.fields == ["name": "is empty"])
        #expect(error.retryAfter == nil)
    }

    @Test("Every code is in capitals with underscores, and no two are the same")
    func codes() {
        let codes = ErrorCode.allCases.map(\.rawValue)
        #expect(Set(codes).count == codes.count)
        for code in codes {
            #expect(!code.isEmpty)
            let letters = code.utf8.filter { $0 != UInt8(ascii: "_") }
            #expect(letters.allSatisfy { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) }, "\(code)")
        }
    }
}
