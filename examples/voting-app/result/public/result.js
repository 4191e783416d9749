/* global io */
const socket = io()
const show = (id) => document.getElementById(id)

socket.on('scores', ({ a, b, isCurrent }) => {
  const total = a + b
  const share = total === 0 ? 0.5 : a / total
  document.documentElement.style.setProperty('--share', share)
  showShare('share-a', total === 0 ? null : share)
  showShare('share-b', total === 0 ? null : 1 - share)
  show('count-a').textContent = votes(a)
  show('count-b').textContent = votes(b)
  show('total').textContent = total === 0 ? 'Waiting for the first vote' : `${votes(total)} in all`
  show('bar').className = total === 0 ? 'empty' : ''
  show('bar').setAttribute('aria-label', `${votes(a)} for cats, ${votes(b)} for dogs`)
  showState(isCurrent)
})
socket.on('instance', (name) => (show('instance').textContent = name))
socket.on('connect', () => {
  showTransport()
  socket.io.engine.on('upgrade', showTransport)
})
socket.on('disconnect', () => showState(null))
socket.on('connect_error', () => showState(null))

/** `isCurrent`: whether the counts come from the database of now; null while there is no connection. */
function showState(isCurrent) {
  show('state').textContent =
    isCurrent === null ? 'connecting' : isCurrent ? 'live' : 'counting is paused'
  show('state').className = isCurrent ? 'live' : 'waiting'
}

function showTransport() {
  const name = socket.io.engine.transport.name
  show('transport').textContent = name === 'websocket' ? 'over a WebSocket' : 'over long polling'
}

function showShare(id, share) {
  const text = share === null ? '–' : (share * 100).toFixed(share > 0 && share < 1 ? 1 : 0)
  const unit = document.createElement('small')
  unit.textContent = share === null ? '' : '%'
  show(id).replaceChildren(text, unit)
}

function votes(count) {
  return count === 1 ? '1 vote' : `${count.toLocaleString('en')} votes`
}
