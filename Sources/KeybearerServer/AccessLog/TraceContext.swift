import Instrumentation
package import Logging

/// The trace that a request is part of, as W3C Trace Context has it in the field `traceparent`.
///
/// Thirty-two and sixteen hexadecimal digits, whoever sent them: it can be logged as it is.
struct TraceContext: Hashable, Sendable {
    /// The sixteen bytes that name the trace.
    let traceID: (high: UInt64, low: UInt64)
    /// The eight bytes that name the part of it that is the caller, or this server.
    let spanID: UInt64
    /// Whether somebody keeps the trace, and bits that are to be passed on as they are.
    let flags: UInt8

    static let fieldName = "traceparent"
    /// The length of the field's value in the version that is written.
    static let length = 55

    static func == (left: TraceContext, right: TraceContext) -> Bool {
        left.traceID == right.traceID && left.spanID == right.spanID && left.flags == right.flags
    }

    func hash(into hasher: inout Hasher) {
        hasher.combine(traceID.high)
        hasher.combine(traceID.low)
        hasher.combine(spanID)
        hasher.combine(flags)
    }

    private init(traceID: (high: UInt64, low: UInt64), spanID: UInt64, flags: UInt8) {
        (self.traceID, self.spanID, self.flags) = (traceID, spanID, flags)
    }

    /// Reads the field's value. Allocates nothing.
    ///
    /// - Returns: nil for what is none: a trace or a part whose name is all zeros, capital letters, another length. Of versions
    ///   that are not known yet, what this one has is read, and what stands behind it is left alone.
    init?(_ bytes: UnsafeRawBufferPointer) {
        guard bytes.count >= Self.length, let version = Self.number(bytes, at: 0, digits: 2), version != 0xFF,
            let high = Self.number(bytes, at: 3, digits: 16), let low = Self.number(bytes, at: 19, digits: 16),
            let span = Self.number(bytes, at: 36, digits: 16), let flags = Self.number(bytes, at: 53, digits: 2),
            [2, 35, 52].allSatisfy({ bytes[$0] == UInt8(ascii: "-") }), high | low != 0, span != 0
        else { return nil }
        if bytes.count > Self.length, version == 0 || bytes[Self.length] != UInt8(ascii: "-") { return nil }
        self.init(traceID: (high, low), spanID: span, flags: UInt8(truncatingIfNeeded: flags))
    }

    /// Reads the field's value.
    init?(_ text: String) {
        var text = text
        guard let read = text.withUTF8({ TraceContext(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = read
    }

    private static func number(_ bytes: UnsafeRawBufferPointer, at start: Int, digits: Int) -> UInt64? {
        var value: UInt64 = 0
        for index in start..<start + digits {
            switch bytes[index] {
            case UInt8(ascii: "0")...UInt8(ascii: "9"): value = value << 4 | UInt64(bytes[index] & 15)
            case UInt8(ascii: "a")...UInt8(ascii: "f"): value = value << 4 | UInt64(bytes[index] - 87)
            default: return nil
            }
        }
        return value
    }

    /// The same trace, with this server as the part that goes on with it.
    func child() -> TraceContext {
        TraceContext(traceID: traceID, spanID: .random(in: 1...UInt64.max), flags: flags)
    }

    /// The name of the trace: 32 digits.
    var traceText: String { Self.digits(traceID.high, 16) + Self.digits(traceID.low, 16) }

    /// The name of the part: 16 digits.
    var spanText: String { Self.digits(spanID, 16) }

    /// The field's value.
    var fieldValue: String { "00-\(traceText)-\(spanText)-\(Self.digits(UInt64(flags), 2))" }

    private static func digits(_ value: UInt64, _ count: Int) -> String {
        let text = String(value, radix: 16)
        return String(repeating: "0", count: max(0, count - text.count)) + text
    }
}

extension TraceContext {
    private enum Key: InstrumentationContextKey {
        typealias Value = TraceContext
        static var nameOverride: String? { "keybearer-trace" }
    }

    /// The trace of the request that is being answered, as swift-distributed-tracing carries it along with its task.
    static var current: TraceContext? { InstrumentationContext.current?[Key.self] }

    /// What the task that answers carries along: an application's own entries, and this trace.
    var carried: InstrumentationContext {
        var context = InstrumentationContext.current ?? .topLevel
        context[Key.self] = self
        return context
    }
}

extension Logger.MetadataProvider {
    /// The trace of the request during which a line is logged.
    package static let trace = Logger.MetadataProvider {
        TraceContext.current.map { ["trace": "\($0.traceText)"] } ?? [:]
    }
}
