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
    await context.audioWorklet.addModule(processor);
    return new Microphone(stream, context);
  }

  /** `lost` is called when the device is taken away. */
  start(take: (piece: Piece) => void, lost: () => void): void {
    const recorder = new AudioWorkletNode(this.context, "recorder", { numberOfOutputs: 0, channelCount: 1, channelCountMode: "explicit" });
    recorder.port.onmessage = (event) => take(event.data as Piece);
    this.context.createMediaStreamSource(this.stream).connect(recorder);
    this.stream.getAudioTracks()[0]!.onended = lost;
    void this.context.resume();
  }

  stop(): void {
    for (const track of this.stream.getTracks()) {
      track.onended = null;
      track.stop();
    }
    void this.context.close();
  }
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
