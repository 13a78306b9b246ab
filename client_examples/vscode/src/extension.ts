// Push to talk: one key starts and stops; finals are written at the cursor, the partial is shown behind it.
import { ChildProcess } from "node:child_process";
import * as vscode from "vscode";
import { names } from "./names";
import { command, record } from "./recorder";
import { Settings, Stream } from "./stream";

const KEY = "stenoline.key"; // of the API key among the secrets
const MOST_NAMES = 200;
const MOST_HOTWORDS = 1_000;

let running: { stream: Stream; recorder: ChildProcess } | undefined;
let writing: Promise<unknown> = Promise.resolve(); // one text after the other
let status: vscode.StatusBarItem;
const ghost = vscode.window.createTextEditorDecorationType({
  after: { color: new vscode.ThemeColor("editorGhostText.foreground"), fontStyle: "italic" },
});

export function activate(context: vscode.ExtensionContext): void {
  status = vscode.window.createStatusBarItem(vscode.StatusBarAlignment.Right);
  status.command = "stenoline.toggle";
  show("$(mic)", "Start dictation");
  status.show();
  context.subscriptions.push(
    status,
    ghost,
    vscode.commands.registerCommand("stenoline.toggle", () => toggle(context).catch((error) => fail(error.message))),
    vscode.commands.registerCommand("stenoline.setKey", () => setKey(context)),
  );
}

export function deactivate(): void {
  running?.recorder.kill();
  running?.stream.end();
}

async function toggle(context: vscode.ExtensionContext): Promise<void> {
  if (running) return void running.recorder.kill(); // the stream is stopped when its last sound has come
  const settings = await settingsOf(context);
  const program = command(vscode.workspace.getConfiguration("stenoline").get<string[]>("recorder", []));
  if (!running) start(settings, program);
}

function start(settings: Settings, program: string[]): void {
  show("$(loading~spin) Connecting", "Stop dictation");
  let isRecording = true;
  const stream = new Stream(settings, {
    listening: () => isRecording && show("$(record) Listening", "Stop dictation"),
    partial,
    final: (text) => {
      partial("", "");
      if (text) writing = writing.then(() => write(text));
    },
    warning: (message) => void vscode.window.showWarningMessage(`Stenoline: ${message}`),
    ended: (reason) => {
      if (reason) fail(reason);
      running?.recorder.kill();
      running = undefined;
      partial("", "");
      show("$(mic)", "Start dictation");
    },
  });
  const recorder = record(program, (sound) => stream.hear(sound), (reason) => {
    isRecording = false;
    if (reason) fail(reason);
    if (running?.stream !== stream) return;
    show("$(loading~spin) Finishing", "Dictation is being finished");
    stream.stop();
  });
  running = { stream, recorder };
}

async function settingsOf(context: vscode.ExtensionContext): Promise<Settings> {
  const given = vscode.workspace.getConfiguration("stenoline");
  const text = given.get("namesFromFile", true) ? (vscode.window.activeTextEditor?.document.getText() ?? "") : "";
  const hotwords = [...new Set([...given.get<string[]>("hotwords", []), ...names(text, MOST_NAMES)])].slice(0, MOST_HOTWORDS);
  return {
    url: given.get("url", ""),
    key: await context.secrets.get(KEY),
    language: given.get("language", ""),
    hotwords,
    hotwordLists: given.get("hotwordLists", []),
  };
}

async function setKey(context: vscode.ExtensionContext): Promise<void> {
  const key = await vscode.window.showInputBox({ password: true, title: "API key of the Stenoline server (empty: none)" });
  if (key) await context.secrets.store(KEY, key);
  else if (key === "") await context.secrets.delete(KEY);
}

/** Behind the cursor. */
function partial(stable: string, unstable: string): void {
  const editor = vscode.window.activeTextEditor;
  const contentText = (stable + unstable).replaceAll(" ", "\u00a0"); // ordinary spaces at the edges would not be shown
  const range = editor && new vscode.Range(editor.selection.active, editor.selection.active);
  vscode.window.visibleTextEditors.forEach((each) => each.setDecorations(ghost, []));
  if (editor && range && contentText) editor.setDecorations(ghost, [{ range, renderOptions: { after: { contentText } } }]);
}

/** Replaces the selection, as typing does; a text that finds no place is not lost. */
async function write(text: string): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const before = editor?.document.lineAt(editor.selection.start).text.slice(0, editor.selection.start.character) ?? "";
  const fitting = /(^|\s)$/.test(before) ? text.trimStart() : text;
  if (await editor?.edit((edit) => edit.replace(editor.selection, fitting))) return collapse(editor!);
  const answer = await vscode.window.showWarningMessage(`Stenoline: no place to write “${text.trim()}”.`, "Copy");
  if (answer) await vscode.env.clipboard.writeText(text.trim());
}

/** The cursor goes behind what was written. */
function collapse(editor: vscode.TextEditor): void {
  editor.selection = new vscode.Selection(editor.selection.end, editor.selection.end);
}

function show(text: string, tooltip: string): void {
  Object.assign(status, { text, tooltip });
}

function fail(message: string): void {
  void vscode.window.showErrorMessage(`Stenoline: ${message}`);
}
