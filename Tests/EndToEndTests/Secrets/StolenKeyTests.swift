import Foundation
import TestSupport
import Testing

extension EndToEndTests {
    /// A thief who holds a request back while the holder replaces the key.
    @Suite struct StolenKeyTests {
        private static let length = 4_000
        private static let idempotencyKey = "guessed-by-the-thief"

        /// How the holder ends the key.
        enum Way: String, CaseIterable {
            case page
            case commandLine
            case whileDisabled
        }

        private struct Stage {
            let files: InstallationFiles
            let server: ServerProcess
            let browser: Browser
            let page: String

            init() throws {
                files = try InstallationFiles()
                let password = try files.copyInitialised()
                // The key can regenerate itself: the answer that the thief is after.
                server = try ServerProcess.serve(files, environment: ["KEYBEARER_REGENERATE_BY_KEY": "open"])
                browser = try Browser(port: server.port)
                try browser.signIn(email: Deployed.ada, password: password)
                page = try browser.keyPage()
            }

            func run(_ words: String...) throws -> CommandResult {
                let result = try CommandRunner.run(words + files.flags)
                try #require(result.status == 0, "\(words): \(result.stderr)")
                return result
            }

            func liveKey() throws -> String { try run("key", "show", Deployed.ada).line }

            /// The status that a key gets; the plan does not matter to it.
            func status(of key: String) throws -> Int {
                try RawConnection(port: server.port).roundTrip(RawRequest.get("/api/v1/key", key: key)).status
            }

            /// Ends the live key as its holder.
            func regenerate(_ way: Way) throws {
                switch way {
                case .page:
                    let form = [("idempotencyKey", StolenKeyTests.idempotencyKey)]
                    #expect(try browser.post("\(page)/regenerate", form).status == 303)
                case .commandLine:
                    _ = try run("key", "regenerate", Deployed.ada, "--idempotency-key", StolenKeyTests.idempotencyKey)
                case .whileDisabled:
                    _ = try run("user", "disable", Deployed.ada)
                    _ = try run("user", "enable", Deployed.ada)
                    _ = try run("key", "regenerate", Deployed.ada)
                }
            }

            /// Sends the head of a regenerate and the first byte of its body.
            func hold(_ key: String, headers: [(String, String)] = []) throws -> RawConnection {
                let thief = try RawConnection(port: server.port)
                let head =
                    [
                        "POST /api/v1/key/regenerate HTTP/1.1", "Host: localhost", "Authorization: Bearer \(key)",
                        "Content-Type: application/json", "Content-Length: \(StolenKeyTests.length)",
                    ] + headers.map { "\($0): \($1)" }
                try thief.send(head.joined(separator: "\r\n") + "\r\n\r\n{")
                try thief.send(" ")
                return thief
            }

            /// Ends the held body and reads the answer.
            func finish(_ thief: RawConnection) throws -> RawResponse {
                try thief.send(String(repeating: " ", count: StolenKeyTests.length - 3) + "}")
                return try thief.receive()
            }
        }

        @Test(arguments: Way.allCases)
        func aHeldRegenerateIsRefusedWhenItsKeyWasReplaced(_ way: Way) throws {
            let stage = try Stage()
            let stolen = try stage.liveKey()
            #expect(try stage.status(of: stolen) != 401)
            let thief = try stage.hold(stolen)
            let guessing = try stage.hold(stolen, headers: [("Idempotency-Key", Self.idempotencyKey)])
            try stage.regenerate(way)
            let live = try stage.liveKey()
            for response in [try stage.finish(thief), try stage.finish(guessing)] {
                #expect(response.status == 401 && response.errorCode == "UNAUTHORIZED", "\(way): \(response.text)")
                #expect(response["www-authenticate"] != nil)
                #expect(!response.text.contains("tdc_"))
            }
            #expect(try stage.liveKey() == live)
            #expect(try stage.status(of: live) != 401)
            #expect(try stage.status(of: stolen) == 401)
        }

        @Test func aHeldRegenerateIsRefusedWhileTheAccountIsDisabled() throws {
            let stage = try Stage()
            let stolen = try stage.liveKey()
            let thief = try stage.hold(stolen)
            _ = try stage.run("user", "disable", Deployed.ada)
            #expect(try stage.finish(thief).status == 401)
            _ = try stage.run("user", "enable", Deployed.ada)
            #expect(try stage.liveKey() == stolen)
        }

        @Test func ofSixRegeneratesAtOnceOneSucceeds() throws {
            let stage = try Stage()
            let stolen = try stage.liveKey()
            let thieves = try (0..<6).map { _ in try stage.hold(stolen) }
            for thief in thieves { try thief.send(String(repeating: " ", count: Self.length - 3) + "}") }
            let responses = try thieves.map { try $0.receive() }
            let won = responses.filter { $0.status == 200 }
            #expect(won.count == 1, "\(responses.map(\.status))")
            #expect(responses.allSatisfy { [200, 401, 409].contains($0.status) }, "\(responses.map(\.status))")
            let key = try #require(won.first?.data?["key"] as? String)
            #expect(try stage.liveKey() == key)
            #expect(try stage.status(of: key) != 401)
        }
    }
}
