import Foundation
import TestSupport
import Testing

@testable import KeybearerServer

/// Each ``Template`` and the ``DashboardAssets``, as the build embedded them.
@Suite struct TemplateTests {
    /// The files of the dashboard with an extension, by their paths from its folder.
    private func files(_ kind: String) throws -> [String] {
        try FileManager.default.subpathsOfDirectory(atPath: Repository.url(Self.folder).path)
            .filter { $0.hasSuffix(".\(kind)") }
    }

    private static let folder = "Sources/KeybearerServer/Dashboard"
    private static let mails = "Sources/KeybearerServer/Mail"

    @Test("Every template of the folder is embedded as it is, under its file's name")
    func templates() throws {
        let texts = Dictionary(uniqueKeysWithValues: Template.all.map { ($0.name, $0.text) })
        let pages = try files("mustache").map { "\(Self.folder)/\($0)" }
        let mails = try FileManager.default.contentsOfDirectory(atPath: Repository.url(Self.mails).path)
            .filter { $0.hasSuffix(".mustache") }.map { "\(Self.mails)/\($0)" }
        #expect(pages.count + mails.count == texts.count)
        for file in pages + mails {
            let name = URL(fileURLWithPath: file).deletingPathExtension().lastPathComponent
            #expect(texts[name] == (try Repository.text(of: file)))
        }
        let ofMails = Template.all.filter(\.isOfMail).count
        #expect(ofMails == mails.count)
    }

    @Test("No template writes a value unescaped")
    func escaped() {
        for template in Template.all {
            #expect(!template.text.contains("{{{") && !template.text.contains("{{&"), "\(template.name)")
        }
    }

    @Test("Every script and style sheet is embedded, Layout's before those that use it")
    func assets() throws {
        for (kind, texts) in [("js", DashboardFiles.scripts), ("css", DashboardFiles.stylesheets)] {
            let files = try files(kind).sorted()
            let ordered = files.filter { $0.hasPrefix("Layout/") } + files.filter { !$0.hasPrefix("Layout/") }
            #expect(texts == (try ordered.map { try Repository.text(of: "\(Self.folder)/\($0)") }))
        }
    }
}
