import HTTPTypes
import HummingbirdCore
import Keybearer
import NIOCore
import Synchronization

/// Reads a request's body whole, before its credential is decided: bounded in bytes, in time, and in the memory that all
/// bodies take together.
///
/// A credential is decided once, after the byte that ends reading: the last one, the first over the limit, or the one
/// that did not come in time. So nothing is admitted and then held.
struct BodyReader: Sendable {
    /// The most bytes of a form or of one JSON object.
    static let objectLimit = 16 * 1_024

    /// How long a body may take from its request's head to its last byte.
    let timeout: Duration
    /// What all bodies of the server take together.
    let memory: BodyMemory

    /// A body that arrived whole, with the memory that it takes.
    private struct Received: Sendable {
        let content: ByteBuffer
        let holding: BodyMemory.Holding
    }

    /// Reads the body into the exchange. Its memory is held for as long as the exchange is.
    ///
    /// - Returns: what is wrong with the body; nil when it arrived whole. What arrived until then is not kept.
    func read(into context: inout RequestContext, upTo limit: Int = objectLimit) async -> KeybearerError? {
        let tooLarge = KeybearerError(.payloadTooLarge, "The body is larger than \(limit) bytes.")
        let announced = context.headers[.contentLength].flatMap { Int($0) }
        if let announced, announced > limit { return tooLarge }
        // Nothing can come behind such a head.
        if announced == 0, context.headers[.transferEncoding] == nil { return nil }
        if context.headers[.expect] != nil { context.requestBody() }
        let body = context.request.body
        let (timeout, memory) = (timeout, memory)
        let outcome = await withTaskGroup(of: Result<Received, KeybearerError>?.self) { group in
            group.addTask { await Self.collect(body, upTo: limit, tooLarge: tooLarge, memory: memory) }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return Task.isCancelled
                    ? nil
                    : .failure(
                        KeybearerError(
                            .requestTimeout, "The body did not arrive in \(timeout.secondsRoundedUp) seconds."))
            }
            defer { group.cancelAll() }
            while let next = await group.next() {
                if let next { return next }
            }
            return .failure(KeybearerError(.badRequest, "The body could not be read."))
        }
        switch outcome {
        case .success(let received):
            context.content = received.content
            context.contentHolding = received.holding
            return nil
        case .failure(let error): return error
        }
    }

    private static func collect(
        _ body: RequestBody, upTo limit: Int, tooLarge: KeybearerError, memory: BodyMemory
    ) async -> Result<Received, KeybearerError>? {
        var content = ByteBuffer()
        let held = memory.hold()
        do {
            for try await var part in body {
                guard content.readableBytes + part.readableBytes <= limit else { return .failure(tooLarge) }
                guard held.take(part.readableBytes) else {
                    return .failure(
                        KeybearerError(
                            .unavailable,
                            "The server holds as many request bodies as its memory allows. Try again after 1 second.",
                            retryAfter: .seconds(1)))
                }
                content.writeBuffer(&part)
            }
        } catch {
            // The client's doing: a chunk that is none, a connection that ended. Or this task was cancelled.
            return Task.isCancelled ? nil : .failure(KeybearerError(.badRequest, "The body could not be read."))
        }
        return Task.isCancelled ? nil : .success(Received(content: content, holding: held))
    }
}

/// Bounds what the bodies of requests that are not answered yet take in memory together: an anonymous client cannot make
/// the server keep more.
final class BodyMemory: Sendable {
    private let taken = Atomic<Int>(0)
    private let limit: Int

    init(limit: Int = 16 * 1_024 * 1_024) {
        self.limit = limit
    }

    /// What all bodies take now.
    var bytesTaken: Int { taken.load(ordering: .relaxed) }

    /// What one body takes; it is given back when the holder goes.
    final class Holding: Sendable {
        private let memory: BodyMemory
        private let bytes = Atomic<Int>(0)

        fileprivate init(_ memory: BodyMemory) {
            self.memory = memory
        }

        deinit { memory.taken.subtract(bytes.load(ordering: .relaxed), ordering: .relaxed) }

        /// - Returns: false when there is no room for so many more bytes.
        func take(_ count: Int) -> Bool {
            let now = memory.taken.add(count, ordering: .relaxed).newValue
            guard now <= memory.limit else {
                memory.taken.subtract(count, ordering: .relaxed)
                return false
            }
            bytes.add(count, ordering: .relaxed)
            return true
        }
    }

    func hold() -> Holding { Holding(self) }
}
