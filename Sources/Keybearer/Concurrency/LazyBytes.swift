package import Synchronization

/// Bytes that are made at the first use, and never change after it.
///
/// Reading them takes no lock, allocates nothing and counts no reference: the address is one atomic load, and the bytes
/// are in one piece of memory that lives as long as this value. Threads that come first at the same time may each make
/// the bytes; one of them is kept, and all of them read that one.
///
/// Sendable by what it does: nothing is written behind an address once that is published.
package struct LazyBytes: ~Copyable, @unchecked Sendable {
    /// The count, as an `Int`, and the bytes behind it; nil until the first use.
    @usableFromInline let memory = Atomic<UnsafeRawPointer?>(nil)
    @usableFromInline static var headLength: Int { 8 }

    package init() {}

    deinit { memory.load(ordering: .acquiring)?.deallocate() }

    /// Calls `body` with the bytes. They must not be used after it returns.
    ///
    /// - Parameter make: makes them, at the first use. Every caller must make the same.
    @inlinable
    package func withBytes<Result>(
        madeBy make: () -> [UInt8], _ body: (UnsafeRawBufferPointer) throws -> Result
    ) rethrows -> Result {
        let address = memory.load(ordering: .acquiring) ?? publish(make())
        return try body(
            UnsafeRawBufferPointer(start: address + Self.headLength, count: address.load(as: Int.self)))
    }

    /// Keeps the bytes, unless another thread was first.
    ///
    /// - Returns: the address of those that are kept.
    @usableFromInline
    func publish(_ bytes: [UInt8]) -> UnsafeRawPointer {
        let made = UnsafeMutableRawPointer.allocate(
            byteCount: Self.headLength + bytes.count, alignment: MemoryLayout<Int>.alignment)
        made.storeBytes(of: bytes.count, as: Int.self)
        UnsafeMutableRawBufferPointer(start: made + Self.headLength, count: bytes.count).copyBytes(from: bytes)
        let outcome = memory.compareExchange(
            expected: nil, desired: UnsafeRawPointer(made), ordering: .acquiringAndReleasing)
        guard let first = outcome.original else { return UnsafeRawPointer(made) }
        made.deallocate()
        return first
    }
}
