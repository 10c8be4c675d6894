import HTTPTypes

/// A request as code that can be copied: with curl, Node's `fetch` and Python's standard library.
struct ReferenceCode: Sendable {
    let method: String
    let url: String
    /// The credential's placeholder.
    let token: String
    let body: Body

    /// What the request sends.
    enum Body: Sendable {
        case nothing
        case json(JSONValue)
        case form([(name: String, value: String)])
    }

    /// For a shell.
    var curl: String {
        var lines = ["curl \(shell(url))"]
        let usual = if case .nothing = body { "GET" } else { "POST" }
        if method != usual { lines[0] = "curl -X \(method) \(shell(url))" }
        lines.append("-H \(shell("Authorization: Bearer \(token)"))")
        switch body {
        case .nothing: break
        case .json(let value):
            lines.append("-H \(shell("Content-Type: application/json"))")
            lines.append("-d \(shell(JSONLayout.line(value)))")
        case .form(let fields):
            lines += fields.map { "--data-urlencode \(shell("\($0.name)=\($0.value)"))" }
        }
        return lines.joined(separator: " \\\n  ")
    }

    /// For Node 18 or later, as a module.
    var node: String {
        var lines = ["const response = await fetch('\(url)', {"]
        if method != "GET" { lines.append("  method: '\(method)',") }
        switch body {
        case .nothing, .form:
            lines.append("  headers: { Authorization: 'Bearer \(token)' },")
        case .json:
            lines.append("  headers: {")
            lines.append("    Authorization: 'Bearer \(token)',")
            lines.append("    'Content-Type': 'application/json',")
            lines.append("  },")
        }
        switch body {
        case .nothing: break
        case .json(let value): lines.append("  body: JSON.stringify(\(JSONLayout.text(value, indent: 2))),")
        case .form(let fields):
            let parts = fields.map { "\($0.name): '\($0.value)'" }.joined(separator: ", ")
            lines.append("  body: new URLSearchParams({ \(parts) }),")
        }
        lines += ["});", "console.log(response.status, await response.text());"]
        return lines.joined(separator: "\n")
    }

    /// For Python 3.
    var python: String {
        var imports = ["import urllib.request"]
        var headers = [#""Authorization": "Bearer \#(token)""#]
        var data: String?
        switch body {
        case .nothing: break
        case .json(let value):
            imports.insert("import json", at: 0)
            headers.append(#""Content-Type": "application/json""#)
            data = "json.dumps(\(JSONLayout.python(value))).encode()"
        case .form(let fields):
            imports.insert("import urllib.parse", at: 0)
            let parts = fields.map { #""\#($0.name)": "\#($0.value)""# }.joined(separator: ", ")
            data = "urllib.parse.urlencode({\(parts)}).encode()"
        }
        var lines = imports + ["", "request = urllib.request.Request(", #"    "\#(url)","#]
        if method != "GET" { lines.append(#"    method="\#(method)","#) }
        if headers.count == 1 {
            lines.append("    headers={\(headers[0])},")
        } else {
            lines += ["    headers={"] + headers.map { "        \($0)," } + ["    },"]
        }
        if let data { lines.append("    data=\(data),") }
        lines += [")", "with urllib.request.urlopen(request) as response:"]
        lines.append("    print(response.status, response.read().decode())")
        return lines.joined(separator: "\n")
    }

    /// Nothing of the examples has a quote in it; one would end the argument.
    private func shell(_ text: String) -> String { "'" + text.replacing("'", with: #"'\''"#) + "'" }
}
