import Foundation
import PackagePlugin

/// Embeds what the dashboard is made of besides code: every template, script and style sheet of the target.
///
/// A plugin, because SwiftPM keeps what `Package.swift` evaluated to until its text changes: a list that the manifest read
/// from the folder would not have the file that was added last.
@main
struct EmbedDashboard: BuildToolPlugin {
    func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
        let files = (target.sourceModule?.sourceFiles.map(\.url) ?? [])
            .filter { ["css", "js", "mustache"].contains($0.pathExtension) }
            .sorted { $0.path < $1.path }
        let output = context.pluginWorkDirectoryURL.appending(path: "DashboardFiles.swift")
        return [
            .buildCommand(
                displayName: "Embedding the files of the dashboard",
                executable: try context.tool(named: "embed-files").url,
                arguments: [output.path] + files.map(\.path), inputFiles: files, outputFiles: [output])
        ]
    }
}
