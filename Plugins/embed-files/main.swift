// Writes files into a Swift file, as text: embed-files <output> <file>...
//
// A template `sign-in.mustache` becomes `Template.signIn`, and one of `Template.all`. Scripts and style sheets become
// `DashboardFiles.scripts` and `DashboardFiles.stylesheets`: those of the folder `Layout` first, for the others use them.
import Foundation

/// `sign-in` as `signIn`.
func identifier(_ name: String) -> String {
    let words = name.split(separator: "-").map(String.init)
    return words.prefix(1).joined() + words.dropFirst().map(\.capitalized).joined()
}

func isOfLayout(_ file: URL) -> Bool { file.deletingLastPathComponent().lastPathComponent == "Layout" }

let files = CommandLine.arguments.dropFirst(2).map { URL(fileURLWithPath: $0) }
let ordered = files.filter(isOfLayout) + files.filter { !isOfLayout($0) }

/// A Swift literal for each file that ends so.
func literals(_ kind: String) throws -> [(name: String, text: String)] {
    try ordered.filter { $0.pathExtension == kind }.map { file in
        let text = try String(contentsOf: file, encoding: .utf8)
        return (file.deletingPathExtension().lastPathComponent, String(reflecting: text))
    }
}

func list(_ name: String, _ kind: String) throws -> String {
    "    static let \(name): [String] = [\n"
        + (try literals(kind).map { "        \($0.text),\n" }.joined()) + "    ]\n"
}

let templates = try literals("mustache")
let source =
    "extension Template {\n"
    + templates.map {
        "    static let \(identifier($0.name)) = Template(name: \"\($0.name)\", text: \($0.text))\n"
    }.joined()
    + "    static let all: [Template] = [\(templates.map { ".\(identifier($0.name))" }.joined(separator: ", "))]\n"
    + "}\n\nenum DashboardFiles {\n" + (try list("stylesheets", "css")) + (try list("scripts", "js")) + "}\n"
try source.write(to: URL(fileURLWithPath: CommandLine.arguments[1]), atomically: true, encoding: .utf8)
