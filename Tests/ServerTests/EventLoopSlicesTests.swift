import CScheduling
import Foundation
import NIOCore
import NIOPosix
import Testing

@testable import KeybearerServer

@Suite("Slices of processor time")
struct EventLoopSlicesTests {
    @Test("Each event loop asks for the shortest slice, where the kernel has slices")
    func shortened() async throws {
        let knowsSlices = ProcessInfo.processInfo.isOperatingSystemAtLeast(
            OperatingSystemVersion(majorVersion: 6, minorVersion: 12, patchVersion: 0))
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 2)
        for loop in group.makeIterator() {
            #expect(try await loop.submit { keybearer_slice() }.get() != EventLoopSlices.slice)
        }
        EventLoopSlices.shorten(group)
        for loop in group.makeIterator() {
            #expect(
                try await loop.submit { keybearer_slice() }.get() == (knowsSlices ? EventLoopSlices.slice : 0))
        }
        try await group.shutdownGracefully()
    }
}
