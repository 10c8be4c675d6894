import CScheduling
import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import KeybearerServer

@Suite("Slices of processor time")
struct EventLoopSlicesTests {
    /// What a loop's slice is to be on this machine's kernel.
    private static let expected: UInt64 = {
        let knowsSlices = ProcessInfo.processInfo.isOperatingSystemAtLeast(
            OperatingSystemVersion(majorVersion: 6, minorVersion: 12, patchVersion: 0))
        return knowsSlices ? EventLoopSlices.slice : 0
    }()

    @Test("Each event loop asks for the shortest slice, where the kernel has slices")
    func shortened() async throws {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        for loop in group.makeIterator() {
            #expect(try await loop.submit { keybearer_slice() }.get() != EventLoopSlices.slice)
        }
        EventLoopSlices.shorten(group)
        for loop in group.makeIterator() {
            #expect(try await loop.submit { keybearer_slice() }.get() == Self.expected)
        }
        try await group.shutdownGracefully()
    }

    @Test("A server's own event loops have asked when it answers")
    func ofAServer() async throws {
        try await ServerFixture().listening { _ in
            for loop in MultiThreadedEventLoopGroup.singleton.makeIterator() {
                let slice = try await loop.submit { keybearer_slice() }.get()
                #expect(slice == Self.expected)
            }
        }
    }
}
