/** A sound that is played, and where in it: at each frame while it plays. */

import { signal } from "@preact/signals";

export class Playhead {
  readonly position = signal(0); // s
  readonly isPlaying = signal(false);
  readonly rate = signal(1);
  readonly isUnplayable = signal(false);
  private readonly audio = new Audio();
  private readonly url: string;
  private frame = 0;

  constructor(
    sound: Blob,
    readonly duration: number,
  ) {
    this.url = URL.createObjectURL(sound);
    this.audio.preload = "auto";
    this.audio.src = this.url;
    this.audio.onplay = this.audio.onpause = this.audio.onended = () => this.changed();
    this.audio.onseeked = () => this.tell();
    this.audio.onerror = () => (this.isUnplayable.value = true);
  }

  toggle(): void {
    if (this.audio.paused) void this.play();
    else this.audio.pause();
  }

  async play(): Promise<void> {
    await this.audio.play().catch((error: DOMException) => {
      if (error.name === "NotSupportedError") this.isUnplayable.value = true;
    });
  }

  seek(seconds: number): void {
    const place = Math.max(0, Math.min(seconds, this.duration));
    this.audio.currentTime = place;
    this.position.value = place;
  }

  skip(seconds: number): void {
    this.seek(this.position.value + seconds);
  }

  setRate(rate: number): void {
    this.audio.playbackRate = this.rate.value = rate;
  }

  close(): void {
    cancelAnimationFrame(this.frame);
    this.audio.onplay = this.audio.onpause = this.audio.onended = this.audio.onseeked = this.audio.onerror = null;
    this.audio.pause();
    this.audio.removeAttribute("src");
    URL.revokeObjectURL(this.url);
  }

  private changed(): void {
    this.isPlaying.value = !this.audio.paused && !this.audio.ended;
    cancelAnimationFrame(this.frame);
    this.tell();
  }

  private tell = (): void => {
    if (!this.audio.seeking) this.position.value = this.audio.currentTime;
    if (this.isPlaying.value) {
      cancelAnimationFrame(this.frame);
      this.frame = requestAnimationFrame(this.tell);
    }
  };
}
