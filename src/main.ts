#!/usr/bin/env node
import nodeProcess from 'node:process'
import { main } from './cli/entry.ts'

// An explicit exit: idle connections must not keep a finished command waiting.
void main().then((code) => nodeProcess.exit(code))
