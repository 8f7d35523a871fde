import { connect, type Socket } from 'node:net'
import { Duplex } from 'node:stream'

// The line to a mail server. A server that floods us with ends of lines before it replies occupies nodemailer's parser for
// longer than any timer of ours may wait: timers, too, then come late by half a minute. So what it says is counted where it
// comes in, encrypted or not.

/** Bytes a server may say without being asked anything more. A reply has some hundreds, a chain of certificates thousands. */
const MOST_UNASKED = 32_768

/**
 * @param patience milliseconds, from the look-up of the host's name to the connection
 * @returns a stream with as much of a socket as nodemailer uses of one, which asks for a whole one by its type
 */
export function openLine(host: string, port: number, patience: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    const timer = setTimeout(
      () => socket.destroy(new Error(`${host} does not answer within ${patience} ms`)),
      patience,
    )
    socket.once('error', reject)
    socket.once('close', () => clearTimeout(timer))
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', reject)
      resolve(watch(socket))
    })
  })
}

function watch(socket: Socket): Socket {
  let unasked = 0
  let closed = false
  const line = new Duplex({
    // As a socket does: where the server ends its side, ours is ended.
    allowHalfOpen: false,
    read: () => {
      socket.resume()
    },
    write: (chunk: Buffer, _encoding, done) => {
      unasked = 0
      socket.write(chunk, done)
    },
    // Commands that go together go in one packet.
    writev: (chunks, done) => {
      unasked = 0
      socket.cork()
      for (const { chunk } of chunks.slice(0, -1)) socket.write(chunk)
      socket.write(chunks.at(-1)?.chunk, done)
      socket.uncork()
    },
    final: (done) => {
      // It may have ended by itself, which is no error.
      socket.end(() => done())
    },
    destroy: (error, done) => {
      // Closed when its socket is: before that, TLS over it says why it ended it, which nodemailer reads of a certificate.
      if (closed) return done(error)
      socket.once('close', () => done(error))
      socket.destroy()
    },
  })
  socket.on('data', (chunk) => {
    unasked += chunk.length
    if (unasked > MOST_UNASKED) line.destroy(new Error('the server says much and answers nothing'))
    else if (!line.push(chunk)) socket.pause()
  })
  socket.once('end', () => line.push(null))
  socket.on('error', (error) => line.destroy(error))
  // What came before its end is still to be read.
  socket.once('close', () => {
    closed = true
    if (!socket.readableEnded) line.destroy()
  })
  socket.on('timeout', () => line.emit('timeout'))
  const controls = {
    setTimeout: socket.setTimeout.bind(socket),
    setKeepAlive: socket.setKeepAlive.bind(socket),
    setNoDelay: socket.setNoDelay.bind(socket),
  }
  return Object.assign(line, controls) as unknown as Socket
}
