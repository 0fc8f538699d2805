// What npm's kitsu makes of our documents, and we of its requests; prints one JSON object.
import Kitsu from 'kitsu'

const api = new Kitsu({ baseURL: process.argv[2], headers: { Caller: 'root' } })
const found = {}

const query = { include: 'talks', sort: '-name', page: { size: 2 } }
const events = await api.get('events', { params: query })
found.listed = events.data.map(one => [one.id, one.name, one['is-open']])
found.count = events.meta.count

const talks = await api.get('talks', { params: { filter: { title: 'One' }, include: 'event,speakers' } })
found.included = talks.data.map(one => [one.event.data.name, one.speakers.data.map(each => each.name)])

const made = await api.create('talk-file', { path: '/new' })
await api.update('talk-files', { id: made.data.id, path: '/newer' })
found.changed = (await api.get(`talk-files/${made.data.id}`)).data.path
await api.delete('talk-files', made.data.id)
await api.get(`talk-files/${made.data.id}`).catch(error => { found.errors = error.errors })

console.log(JSON.stringify(found))
