import Foundation

/// Bytes that come in blocks.
protocol ByteSource: AnyObject {
    /// The next bytes, which are there until the next call; nil at the end.
    ///
    /// - Throws: ``Unreadable`` when no more can be read.
    func next() throws(Unreadable) -> UnsafeRawBufferPointer?
}

/// Why something cannot be read.
struct Unreadable: Error {
    let message: String
    /// Whether a problem says so already.
    var isReported = false

    init(_ message: String) { self.message = message }

    /// What the system says about its last failed call.
    init(systemError code: Int32) { message = String(cString: strerror(code)) }
}

/// The bytes of an open file, pipe or terminal.
final class FileSource: ByteSource {
    private let file: Int32
    private let block = UnsafeMutableRawBufferPointer.allocate(byteCount: KeyFinder.blockSize, alignment: 16)
    private let onRead: (Int) -> Void

    /// - Parameters:
    ///   - file: stays open.
    ///   - onRead: gets the number of bytes of each block.
    init(_ file: Int32, onRead: @escaping (Int) -> Void = { _ in }) {
        self.file = file
        self.onRead = onRead
    }

    deinit { block.deallocate() }

    func next() throws(Unreadable) -> UnsafeRawBufferPointer? {
        while true {
            let count = read(file, block.baseAddress, block.count)
            if count > 0 {
                onRead(count)
                return UnsafeRawBufferPointer(rebasing: block[..<count])
            }
            if count == 0 { return nil }
            if errno != EINTR { throw Unreadable(systemError: errno) }
        }
    }
}

/// A source whose first bytes can be looked at before they are read.
final class HeadedSource: ByteSource {
    /// What every format's signature is in.
    static let headSize = 1_024

    private let source: any ByteSource
    /// Not an array: whoever reads it holds a pointer to it.
    private let head: UnsafeMutableRawBufferPointer
    /// Why the head is all there is.
    private var failure: Unreadable?
    private var isHeadRead = false

    init(_ source: any ByteSource) {
        self.source = source
        var bytes: [UInt8] = []
        do throws(Unreadable) {
            while bytes.count < Self.headSize, let block = try source.next() { bytes.append(contentsOf: block) }
        } catch {
            failure = error
        }
        head = .allocate(byteCount: bytes.count, alignment: 16)
        head.copyBytes(from: bytes)
    }

    deinit { head.deallocate() }

    /// The first bytes: as many as the signatures need, or all.
    var firstBytes: ArraySlice<UInt8> { Array(head.prefix(Self.headSize))[...] }

    func next() throws(Unreadable) -> UnsafeRawBufferPointer? {
        if !isHeadRead {
            isHeadRead = true
            if !head.isEmpty { return UnsafeRawBufferPointer(head) }
        }
        if let failure { throw failure }
        return try source.next()
    }
}

/// A source whose bytes are looked at on their way to a reader.
final class ObservedSource: ByteSource {
    private let source: any ByteSource
    private let observe: (UnsafeRawBufferPointer) -> Void
    /// Why it ended before its end.
    private(set) var failure: Unreadable?
    private var isAtEnd = false
    /// How many bytes were handed out, and the last of them, which are there until the next call.
    private var count = 0
    private var latest: UnsafeRawBufferPointer?

    init(_ source: any ByteSource, _ observe: @escaping (UnsafeRawBufferPointer) -> Void) {
        self.source = source
        self.observe = observe
    }

    func next() throws(Unreadable) -> UnsafeRawBufferPointer? {
        if let failure { throw failure }
        guard !isAtEnd else { return nil }
        do throws(Unreadable) {
            latest = nil
            guard let block = try source.next() else {
                isAtEnd = true
                return nil
            }
            observe(block)
            (latest, count) = (block, count + block.count)
            return block
        } catch {
            failure = error
            throw error
        }
    }

    /// Reads what is left.
    ///
    /// - Parameters:
    ///   - length: how many of the first bytes belong to something.
    ///   - look: gets the bytes behind it.
    func drain(behind length: Int? = nil, _ look: (UnsafeRawBufferPointer) -> Void = { _ in }) {
        if let length, let latest, count > length {
            look(UnsafeRawBufferPointer(rebasing: latest[max(0, latest.count - (count - length))...]))
        }
        do throws(Unreadable) {
            while let block = try next() { if length != nil { look(block) } }
        } catch {
            // It is kept.
        }
    }
}
