import Instrumentation
import Logging
import TestSupport
import Testing

@testable import KeybearerServer

/// The ``TraceContext`` of a request.
@Suite struct TraceContextTests {
    private static let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"

    @Test("What is read is written again, and a child is the same trace with another part")
    func roundTrip() throws {
        let trace = try #require(TraceContext(Self.text))
        #expect(trace.fieldValue == Self.text)
        let child = trace.child()
        #expect(child.traceText == trace.traceText && child.spanID != trace.spanID && child.flags == trace.flags)
        #expect(TraceContext(child.fieldValue) == child)
        let low = try #require(TraceContext("00-00000000000000000000000000000001-0000000000000001-00"))
        #expect(low.fieldValue == "00-00000000000000000000000000000001-0000000000000001-00")
    }

    @Test("Of a later version what is known is read")
    func laterVersion() {
        #expect(TraceContext("01" + Self.text.dropFirst(2) + "-more")?.fieldValue == Self.text)
        #expect(TraceContext("01" + Self.text.dropFirst(2) + ".more") == nil)
    }

    @Test(
        "What is none is none",
        arguments: [
            "", "00", String(text.dropLast()), text + "0", text + "-more", text.uppercased(),
            "ff" + text.dropFirst(2), "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", text.replacing("-", with: "_"),
            "00-4bf92f3577b34da6a3ce929d0e0e473g-00f067aa0ba902b7-01",
        ])
    func malformed(text: String) { #expect(TraceContext(text) == nil) }

    @Test("What is logged while a request is answered names its trace")
    func carried() throws {
        #expect(Logger.MetadataProvider.trace.get().isEmpty)
        let trace = try #require(TraceContext(Self.text))
        InstrumentationContext.withValue(trace.carried) {
            #expect(TraceContext.current == trace)
            #expect(Logger.MetadataProvider.trace.get() == ["trace": "4bf92f3577b34da6a3ce929d0e0e4736"])
        }
    }
}
