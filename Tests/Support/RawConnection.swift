#if canImport(Glibc)
import Glibc
#elseif canImport(Musl)
import Musl
#elseif canImport(Darwin)
import Darwin
#endif

/// A blocking TCP connection to a server on this machine that sends bytes as they are and reads HTTP/1.1 answers.
///
/// For one thread at a time. What was sent and what is read are apart, so requests can be pipelined, cut, or malformed.
package final class RawConnection {
    /// What ends a connection for its user.
    package enum Failure: Error, Sendable, Equatable {
        /// Nobody listens, or nobody accepted.
        case refused
        /// The other end closed or reset the connection before a whole answer had come.
        case closed
        /// Nothing came for the time that was allowed.
        case timedOut
        /// What came is no HTTP/1.1.
        case malformed
    }

    /// When a send began (before its first byte was given away) and when its last byte had been given away.
    package struct SendTimes: Sendable {
        /// Before the first byte.
        package let began: MonotonicTime
        /// After the last byte.
        package let ended: MonotonicTime
    }

    private let descriptor: Int32
    private var isClosed = false
    private var received: [UInt8] = []
    private var consumed = 0

    /// Connects to 127.0.0.1.
    ///
    /// - Parameter secondsToWait: how long a read waits before it fails.
    package init(port: Int, secondsToWait: Int = 30) throws {
        descriptor = Loopback.makeSocket()
        guard descriptor >= 0 else { throw Failure.refused }
        var one: Int32 = 1
        setsockopt(descriptor, Int32(IPPROTO_TCP), TCP_NODELAY, &one, socklen_t(MemoryLayout<Int32>.size))
        var wait = timeval()
        wait.tv_sec = .init(secondsToWait)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &wait, socklen_t(MemoryLayout<timeval>.size))
        guard Loopback.connects(descriptor, to: port) else {
            close()
            throw Failure.refused
        }
    }

    deinit {
        close()
    }

    /// Closes the connection; a second call does nothing.
    package func close() {
        guard !isClosed else { return }
        isClosed = true
        #if canImport(Glibc)
        _ = Glibc.close(descriptor)
        #elseif canImport(Musl)
        _ = Musl.close(descriptor)
        #elseif canImport(Darwin)
        _ = Darwin.close(descriptor)
        #endif
    }

    /// Says that nothing more will be sent; answers can still be read.
    package func finishSending() {
        shutdown(descriptor, Int32(SHUT_WR))
    }

    /// Sends all bytes.
    @discardableResult
    package func send(_ bytes: [UInt8]) throws -> SendTimes {
        let began = MonotonicTime.now()
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes { buffer in
                buffer.baseAddress.map { systemSend(descriptor, $0 + sent, buffer.count - sent) } ?? 0
            }
            if count > 0 {
                sent += count
            } else if errno != EINTR {
                throw errno == EAGAIN ? Failure.timedOut : Failure.closed
            }
        }
        return SendTimes(began: began, ended: .now())
    }

    /// Sends a text.
    @discardableResult
    package func send(_ text: String) throws -> SendTimes { try send(Array(text.utf8)) }

    /// Reads the next answer; interim ones (1xx) are ignored.
    ///
    /// - Parameter isToHead: whether it answers `HEAD`, so that no body follows whatever length it names.
    package func receive(isToHead: Bool = false, takesInformational: Bool = false) throws -> RawResponse {
        while true {
            let head = try takeHead()
            guard let response = RawResponse(head: head) else { throw Failure.malformed }
            if (100..<200).contains(response.status) {
                if takesInformational { return response }
                continue
            }
            if isToHead || response.status == 204 || response.status == 304 { return response }
            if response["transfer-encoding"]?.lowercased() == "chunked" {
                return response.with(body: try takeChunks())
            }
            if let length = response["content-length"].flatMap({ Int($0) }) {
                return response.with(body: try take(length))
            }
            return response.with(body: try takeRest())
        }
    }

    /// Reads until the other end closes.
    package func takeRest() throws -> [UInt8] {
        while try fill() {}
        defer { consumed = received.count }
        return Array(received[consumed...])
    }

    private func takeHead() throws -> [UInt8] {
        while true {
            if let end = find([13, 10, 13, 10]) { return try take(end - consumed + 4) }
            guard received.count - consumed < 1 << 20 else { throw Failure.malformed }
            guard try fill() else { throw Failure.closed }
        }
    }

    private func takeChunks() throws -> [UInt8] {
        var body: [UInt8] = []
        while true {
            let line = try takeLine()
            guard let size = Int(line.prefix { $0 != ";" }, radix: 16) else { throw Failure.malformed }
            if size == 0 { break }
            body += try take(size)
            guard try takeLine().isEmpty else { throw Failure.malformed }
        }
        while try !takeLine().isEmpty {}
        return body
    }

    private func takeLine() throws -> String {
        while true {
            if let end = find([13, 10]) {
                return String(decoding: try take(end - consumed + 2).dropLast(2), as: UTF8.self)
            }
            guard try fill() else { throw Failure.closed }
        }
    }

    private func take(_ count: Int) throws -> [UInt8] {
        guard count >= 0 else { throw Failure.malformed }
        while received.count - consumed < count {
            guard try fill() else { throw Failure.closed }
        }
        let taken = Array(received[consumed..<consumed + count])
        consumed += count
        if consumed == received.count {
            received.removeAll(keepingCapacity: true)
            consumed = 0
        }
        return taken
    }

    /// Where a sequence begins in what was received and not yet taken.
    private func find(_ needle: [UInt8]) -> Int? {
        received.withUnsafeBytes { buffer -> Int? in
            guard let start = buffer.baseAddress else { return nil }
            var position = consumed
            // From one first byte to the next by `memchr`: loops are slow in debug builds.
            while buffer.count - position >= needle.count,
                let found = memchr(start + position, Int32(needle[0]), buffer.count - position - needle.count + 1)
            {
                position = UnsafeRawPointer(found) - start
                if memcmp(found, needle, needle.count) == 0 { return position }
                position += 1
            }
            return nil
        }
    }

    /// Reads what there is; false at the end.
    private func fill() throws -> Bool {
        var failure: Failure?
        let more = [UInt8](unsafeUninitializedCapacity: 16_384) { buffer, count in
            var result = recv(descriptor, buffer.baseAddress, buffer.count, 0)
            while result < 0, errno == EINTR { result = recv(descriptor, buffer.baseAddress, buffer.count, 0) }
            if result < 0 { failure = errno == EAGAIN ? .timedOut : .closed }
            count = max(0, result)
        }
        if let failure { throw failure }
        received += more
        return !more.isEmpty
    }
}

private func systemSend(_ descriptor: Int32, _ start: UnsafeRawPointer, _ count: Int) -> Int {
    #if canImport(Darwin)
    return send(descriptor, start, count, 0)
    #else
    return send(descriptor, start, count, Int32(MSG_NOSIGNAL))
    #endif
}
