/** A microphone as pieces of 16-bit samples. */

import processor from "./recorder.worklet?worker&url";

const RATE = 16_000; // what the models hear; other rates are taken where the browser cannot give it

export interface Piece {
  samples: Int16Array;
  peak: number; // 0 to 1
}

/** What can be wrong; its name is a key of the texts. */
export class MicrophoneFault extends Error {
  constructor(readonly kind: "denied" | "absent" | "busy" | "insecure") {
    super(kind);
  }
}

export class Microphone {
  private recorder: AudioWorkletNode | null = null;

  private constructor(
    private readonly stream: MediaStream,
    private readonly context: AudioContext,
  ) {}

  /** Samples a second. */
  get rate(): number {
    return this.context.sampleRate;
  }

  get device(): string {
    return this.stream.getAudioTracks()[0]?.getSettings().deviceId ?? "";
  }

  /** Asks for permission where there is none yet. Throws MicrophoneFault. */
  static async open(device: string): Promise<Microphone> {
    const stream = await streamOf(device);
    const context = contextFor(stream);
    const made = new Microphone(stream, context);
    await context.audioWorklet.addModule(processor).catch((error: unknown) => {
      made.stop();
      throw error;
    });
    return made;
  }

  /** `lost` is called when the device is taken away, `mute` when it gives nothing for a while, and when it does again. */
  start(take: (piece: Piece) => void, lost: () => void, mute: (isMute: boolean) => void): void {
    const recorder = (this.recorder = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" }));
    recorder.port.onmessage = (event) => take(event.data as Piece);
    this.context.createMediaStreamSource(this.stream).connect(recorder);
    const track = this.stream.getAudioTracks()[0]!;
    track.onended = lost;
    const tell = () => mute(track.muted || this.context.state !== "running");
    track.onmute = track.onunmute = tell;
    this.context.onstatechange = () => {
      tell();
      this.wake();
    };
    document.addEventListener("visibilitychange", this.wake);
    this.wake();
  }

  stop(): void {
    document.removeEventListener("visibilitychange", this.wake);
    this.context.onstatechange = null;
    if (this.recorder) this.recorder.port.onmessage = null; // what is still on its way from the audio thread comes too late
    for (const track of this.stream.getTracks()) {
      track.onended = track.onmute = track.onunmute = null;
      track.stop();
    }
    void this.context.close();
  }

  /** A call or a closed lid suspends the sound, and not every browser takes it up again by itself. */
  private wake = (): void => {
    if (this.context.state !== "closed" && this.context.state !== "running") void this.context.resume().catch(() => undefined);
  };
}

async function streamOf(device: string): Promise<MediaStream> {
  if (!navigator.mediaDevices) throw new MicrophoneFault("insecure");
  const audio = { channelCount: 1, echoCancellation: false, noiseSuppression: false, autoGainControl: true };
  try {
    return await navigator.mediaDevices.getUserMedia({ audio: device ? { ...audio, deviceId: { exact: device } } : audio });
  } catch (error) {
    const name = (error as DOMException).name;
    if (device && (name === "OverconstrainedError" || name === "NotFoundError")) return streamOf(""); // it is gone: any other
    throw new MicrophoneFault(name === "NotAllowedError" ? "denied" : name === "NotFoundError" ? "absent" : "busy");
  }
}

/** Some browsers do not convert between rates: then the device's own. */
function contextFor(stream: MediaStream): AudioContext {
  const context = new AudioContext({ sampleRate: RATE });
  try {
    context.createMediaStreamSource(stream).disconnect();
    return context;
  } catch {
    void context.close();
    return new AudioContext();
  }
}

/** Names are known only once the microphone has been allowed. */
export async function microphones(): Promise<{ id: string; name: string }[]> {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((each) => each.kind === "audioinput" && each.deviceId).map((each) => ({ id: each.deviceId, name: each.label }));
}
