/** What a run did, for its summary. */
export class Figures {
  rounds = 0
  serverKills = 0
  earlyKills = 0
  ownEnds = 0
  shimKills = 0
  launcherKills = 0
  programKills = 0
  fills = 0
  acknowledged = 0
  events = 0
  resumed = 0
  /** Given to writes that a full disk took. */
  revisionsLost = 0
  visitors = 0
  followers = 0
  starts = 0
  deaths = 0
  logBytes = 0
  followedBytes = 0
  /** KiB. */
  maxRss = 0
  maxFds = 0
  /** Milliseconds that the longest way to rest took, and all together. */
  longestRest = 0
  allRest = 0

  rest(ms: number): void {
    this.longestRest = Math.max(this.longestRest, Math.round(ms))
    this.allRest += Math.round(ms)
  }

  toString(): string {
    const mib = (bytes: number): string => `${(bytes / 2 ** 20).toFixed(1)} MiB`
    return [
      `${this.rounds} rounds, ${this.serverKills} kills of the server (${this.earlyKills} before it was ready), ${this.shimKills} of shims, ${this.launcherKills} of launchers, ${this.programKills} of programs, ${this.fills} full disks (${this.ownEnds} ends of the server's own)`,
      `${this.acknowledged} writes acknowledged, ${this.events} events in order (${this.resumed} resumptions), ${this.visitors} visitors, ${this.starts} starts, ${this.deaths} deaths foretold`,
      `${mib(this.logBytes)} of logs checked on disk, ${mib(this.followedBytes)} by ${this.followers} followers; server at most ${mib(this.maxRss * 1024)} and ${this.maxFds} descriptors; to rest in ${Math.round(this.allRest / Math.max(1, this.rounds))} ms, at most ${this.longestRest} ms`,
    ].join('\n')
  }
}
