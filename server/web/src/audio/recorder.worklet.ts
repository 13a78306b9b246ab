/** Runs on the browser's audio thread: float samples in, 16-bit pieces of 20 ms and their peak out. */

declare const sampleRate: number;
declare class AudioWorkletProcessor {
  readonly port: MessagePort;
}
declare function registerProcessor(name: string, processor: new () => AudioWorkletProcessor): void;

const PIECE = Math.round(sampleRate * 0.02);

class Recorder extends AudioWorkletProcessor {
  private piece = new Int16Array(PIECE);
  private filled = 0;
  private peak = 0;

  process(inputs: Float32Array[][]): boolean {
    for (const sample of inputs[0]?.[0] ?? []) {
      const clipped = Math.max(-1, Math.min(1, sample));
      this.peak = Math.max(this.peak, Math.abs(clipped));
      this.piece[this.filled++] = Math.round(clipped * 32767);
      if (this.filled === PIECE) this.give();
    }
    return true;
  }

  private give(): void {
    this.port.postMessage({ samples: this.piece, peak: this.peak }, { transfer: [this.piece.buffer] } as StructuredSerializeOptions);
    this.piece = new Int16Array(PIECE);
    this.filled = this.peak = 0;
  }
}

registerProcessor("recorder", Recorder);
