package laboratory

type Sight = sight

var AllScenes = allScenes
