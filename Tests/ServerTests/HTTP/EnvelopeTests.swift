import Foundation
import Testing

@testable import Keybearer
@testable import KeybearerServer

/// The bytes of an ``Envelope``, beside the encoding of its type.
@Suite struct EnvelopeTests {
    @Test("They are the encoding of the type", arguments: [[:], ["name": "Is \"too\" long.", "a<b": "x"]])
    func equal(wrong: [String: String]) throws {
        let written = Envelope.failure(
            .validationFailed, message: "Some \"values\" & more", fields: wrong, requestID: "req_a1")
        let encoded = try JSONText.encode(
            FailureJSON(
                ok: false, error: .validationFailed, message: "Some \"values\" & more",
                fields: wrong.isEmpty ? nil : wrong, requestId: "req_a1"))
        let (left, right) = (
            try object(String(decoding: written, as: UTF8.self)), try object(String(decoding: encoded, as: UTF8.self))
        )
        #expect(NSDictionary(dictionary: left) == NSDictionary(dictionary: right))
    }
}
